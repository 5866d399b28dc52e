"""The recorder's raw log turned into the columns of a trace, a piece at a time.

The log is one list in order of time: a node that was made, a number (a mark of a site), or a
tuple (site, values...). Nothing here runs while the script runs freely; it runs when somebody
looks.
"""

from __future__ import annotations

from array import array
from typing import Any

from microgpt_tui.debuggee.encode.bindings import Bindings
from microgpt_tui.debuggee.encode.columns import Columns, path_text
from microgpt_tui.debuggee.encode.iterations import Iterations
from microgpt_tui.debuggee.encode.nodes import Nodes
from microgpt_tui.debuggee.encode.scopes import Scopes
from microgpt_tui.debuggee.encode.sums import Sums
from microgpt_tui.debuggee.encode.writes import Writes
from microgpt_tui.debuggee.record.identity import identity_of
from microgpt_tui.debuggee.record.kinds import (
    FRAMES,
    SITE_ACCUMULATE,
    SITE_APPEND,
    SITE_ASSIGN,
    SITE_BEFORE,
    SITE_BIND,
    SITE_CALL,
    SITE_CONSTANT,
    SITE_CREATE,
    SITE_ELEMENT,
    SITE_EXPRESSION,
    SITE_GIVER,
    SITE_ITERATION,
    SITE_MODULE,
    SITE_OPERATION,
    SITE_PRINT,
    SITE_PROPAGATE,
    SITE_RESUME,
    SITE_SAMPLE,
    SITE_STATEMENT,
    SITE_SUSPEND,
    SITE_UPDATE,
    Maker,
    Scope,
)
from microgpt_tui.debuggee.record.walk import doubles
from microgpt_tui.debuggee.rewrite.sites import SiteRecord
from microgpt_tui.protocol.codes import (
    APPENDED,
    CONSTANT_OP,
    CREATE,
    FIRST_SITE,
    LEAF_OP,
    LEAVE,
    LEAVE_PROPAGATE,
    PRINT,
    REFLECTED,
    REPLACED,
    SAMPLE,
    SYMBOLS,
)


class Encoder:
    """Columns of one episode. ``feed`` takes what is new in the log, ``unsent`` gives what is new in the columns."""

    def __init__(
        self,
        columns: Columns,
        kept: dict[int, int],
        start_grad: dict[int, Any],
        stack: list[Scope],
        weights: dict[int, Any],
        current: dict[int, float],
    ) -> None:
        """``kept``: numbers of the parameters, by ``id``; ``current``: their data; ``stack``: the scopes around."""
        self.columns = columns
        self.sums = Sums(columns, start_grad)
        self.nodes = Nodes(columns, self.sums, kept, stack)
        self.bindings = Bindings(columns, self.nodes, weights)
        self.scopes = Scopes(columns, self.nodes, self.bindings)
        self.writes = Writes(columns, self.sums, self.nodes, self.scopes, current)
        self.iterations = Iterations(columns, self.nodes, self.scopes, self.writes, self.read)
        self.done = 0
        """Entries of the log that are encoded."""
        self.announced_operands: tuple[Any, ...] = ()
        self.dispatching = {site for site, making in columns.makers.items() if making.dispatch}
        """Calls of the class that make whatever operation they are told to."""
        self.makers: dict[tuple[int, int, int], dict[int, Maker]] = {}
        """(statement, outermost and innermost operation) -> mark before a node -> what is known of such a node."""
        self.waits = bytes(r is not None and r.kind in (SITE_CREATE, SITE_CONSTANT) for r in columns.records)
        """By site: 1 for a mark that only announces a node."""
        self.called = 0
        """Functions that run inside that loop."""
        self.propagating: SiteRecord | None = None
        """The loop of a backward pass that runs: nodes in the log are those that propagate their gradients."""

    # -- for those who ask -----------------------------------------------------------------

    @property
    def c(self) -> dict[str, array[Any]]:
        """The columns, by name."""
        return self.columns.c

    @property
    def events(self) -> int:
        """How many events there are so far."""
        return self.nodes.events

    def close(self) -> None:
        """The episode is over: so are all its scopes."""
        while self.scopes.stack:
            self.scopes.pop()

    def let_go(self) -> None:
        """Nobody looks at this episode any longer: its parts, which know one another, are freed without the collector.

        They hold nodes, and through these the episode's whole graph.
        """
        self.nodes.shifted = lambda row, by: None
        self.iterations.read = lambda log, position, end: None

    # -- the log ---------------------------------------------------------------------------

    def feed(self, log: list[Any], end: int | None = None) -> None:
        """Take what was added to the log since the last time (up to entry ``end``)."""
        end = len(log) if end is None else end
        if self.done >= end:
            return
        self.nodes.reread_last_node()
        self.read(log, self.done, end)
        self.nodes.flush()
        self.done = end

    def read(self, log: list[Any], position: int, end: int) -> None:
        """Encode entries one after another."""
        node_class, records, waits = self.columns.node_class, self.columns.records, self.waits
        pending, add_maker = self.nodes.pending, self.nodes.pending_makers.append
        makers: dict[int, Maker] | None = None  # for the top of the stack; None when that may have changed
        announced, propagating = self.scopes.announced, self.propagating
        while position < end:
            entry = log[position]
            kind = type(entry)
            if kind is int:
                if entry >= FIRST_SITE and waits[entry]:
                    announced = entry
                else:
                    self.mark(entry)
                    makers, propagating = None, self.propagating
            elif kind is node_class and announced and propagating is None:
                if makers is None:
                    makers = self.makers_here()
                    self.scopes.begin_span()
                maker = makers.get(announced)
                if maker is None or announced in self.dispatching:
                    maker = makers[announced] = self.maker(announced)
                if self.announced_operands:
                    self.note_operands(self.columns.first_node + self.nodes.rows)
                pending.append(entry)
                add_maker(maker)
                announced = 0
                if not maker[3]:
                    position = self.create_run(log, position + 1, end, makers)
                    continue
                if not self.scopes.operation_depth:
                    self.scopes.group(maker[3], self.after_constants())
            elif kind is tuple:
                record = records[entry[0]]
                if record is not None and record.kind is SITE_ACCUMULATE:
                    position = self.writes.accumulate_run(log, position, end)
                    continue
                self.scopes.announced = announced
                makers = None
                if record is not None and record.kind is SITE_ITERATION:
                    after = self.iterations.vectorised_iterations(log, position, end)
                    if after > position:
                        position, propagating = after, self.propagating
                        continue
                self.note(entry)
                announced = self.scopes.announced
            elif propagating is not None:
                position = self.writes.propagate_run(log, position, end, propagating)
                continue
            else:
                self.scopes.announced = announced
                self.create(entry)
                announced = 0
            position += 1
        self.scopes.announced = announced

    def create_run(self, log: list[Any], position: int, end: int, makers: dict[int, Maker]) -> int:
        """Known marks and their nodes in turn, at one place (a dot product is nothing else), and where that ends."""
        pairs = iter(log)
        pairs.__setstate__(position)  # type: ignore[attr-defined]  # a list's iterator can start anywhere
        known, add_maker, begin = makers.get, self.nodes.pending_makers.append, position
        node_class = self.columns.node_class
        for mark, node in zip(pairs, pairs, strict=False):
            maker = known(mark) if type(mark) is int else None
            if maker is None or maker[3] or type(node) is not node_class or position + 1 >= end:
                break
            add_maker(maker)
            position += 2
        self.nodes.pending += log[begin + 1 : position : 2]
        return position

    def makers_here(self) -> dict[int, Maker]:
        """What is known already of nodes made in the statement and operations at the top of the stack."""
        outermost = innermost = 0
        place = self.scopes.stack[-1].site
        for entry in reversed(self.scopes.stack):
            kind = entry.kind
            if kind is SITE_OPERATION:
                outermost = entry.site
                innermost = innermost or outermost
            elif kind is SITE_STATEMENT:
                place = entry.site
                break
            elif kind in FRAMES:
                place = -self.scopes.stack[-1].site
                break
        return self.makers.setdefault((place, outermost, innermost), {})

    def maker(self, announced: int) -> Maker:
        """What a mark before a node says of it, at this place."""
        record = self.columns.records[announced]
        assert record is not None
        constant = record.kind is SITE_CONSTANT
        name = self.operation_name(announced, record)
        operation = REFLECTED.get(name, name)
        op = self.columns.operation_number(CONSTANT_OP if constant else operation)
        statement = self.scopes.statement_scope()
        ambiguous = (
            not constant
            and statement is not None
            and len(self.scopes.candidates(statement.site).get(operation, ())) > 1
        )
        return op, self.scopes.site_for(name), constant, operation if ambiguous else ""

    def operation_name(self, announced: int, record: SiteRecord) -> str:
        """Which operation makes the node: the method around, or what it was told, or the one that has called it."""
        making = self.columns.makers.get(announced)
        if making is None or not (making.dispatch or making.wraps):
            return record.name
        if making.dispatch:
            told = dict(zip(record.names, self.announced_operands, strict=False)).get(making.dispatch)
            word = told if isinstance(told, str) else getattr(told, "__name__", "")
            word = SYMBOLS.get(word, word).strip("_")
            if word.isidentifier() and word != "lambda":
                return word
        inner = next((e for e in reversed(self.scopes.stack) if e.kind is SITE_OPERATION or e.kind in FRAMES), None)
        around = self.columns.records[inner.site] if inner is not None and inner.kind is SITE_OPERATION else None
        return around.name if around is not None else record.name

    def note_operands(self, number: int) -> None:
        """The plain numbers that the next node's operation uses (an exponent)."""
        numbers = [float(x) for x in self.announced_operands if type(x) in (int, float, bool)]
        if numbers:
            self.columns.extras.setdefault("operands", []).append((number, numbers))
        self.announced_operands = ()

    def after_constants(self) -> int:
        """The first row of an operation that ends with the newest node: its wrapped numbers are part of it."""
        first = self.nodes.rows - 1
        constant = self.columns.op_numbers.get(CONSTANT_OP, -1)
        flushed, pending = self.c["op"], self.nodes.pending_makers
        for row in range(first - 1, max(-1, first - 3), -1):
            at = row - len(flushed)
            if (pending[at][0] if at >= 0 else flushed[row]) != constant:
                break
            first = row
        return first

    def mark(self, code: int) -> None:
        if code < FIRST_SITE:
            if code == LEAVE_PROPAGATE:
                self.propagating = None
                self.called = 0
            else:
                if self.called:  # a function that the loop has called
                    self.called -= 1
                elif code == LEAVE:
                    self.propagating = None
                self.scopes.leave(FRAMES if code == LEAVE else (SITE_OPERATION,))
            return
        record = self.columns.records[code]
        assert record is not None
        kind = record.kind
        if self.propagating is not None and (kind is SITE_CALL or kind is SITE_OPERATION):
            self.called += 1
        if kind is SITE_STATEMENT:
            self.scopes.enter_statement(code, record)
        elif kind is SITE_CREATE or kind is SITE_CONSTANT:
            self.scopes.announced = code
            self.announced_operands = ()
        elif kind is SITE_EXPRESSION:
            self.scopes.resolve_expression(code, record)
        elif kind is SITE_OPERATION:
            scope = Scope(code, kind)
            scope.start_node = self.nodes.rows
            self.scopes.stack.append(scope)
            self.scopes.operation_depth += 1
        elif kind is SITE_ITERATION:
            self.scopes.iteration(code, record, ())
        elif kind is SITE_PROPAGATE:
            self.propagating = record
            self.called = 0
        elif kind is SITE_SUSPEND:
            self.scopes.suspend(record.function)
        elif kind is SITE_RESUME:
            self.scopes.resume(record.function)
        elif not (kind is SITE_MODULE and self.scopes.stack[-1].site == code):  # the recorder has put that one there
            self.scopes.stack.append(Scope(code, kind))

    def create(self, node: Any) -> None:
        """A node without a mark before it, or of a subclass."""
        self.nodes.flush()
        c = self.c
        operands = self.nodes.operands(node)
        row = len(c["data"])
        record = self.columns.records[self.scopes.announced] if self.scopes.announced else None
        operation = self.operation_name(self.scopes.announced, record) if record is not None else ""
        self.nodes.last_is_constant = record is not None and record.kind is SITE_CONSTANT
        self.scopes.event(CREATE)
        number = self.columns.first_node + row
        value = getattr(node, self.columns.data_name)
        if type(value) is not float:
            value = self.columns.odd_number(number, value)
        c["data"].append(value)
        self.nodes.ids[identity_of(node)] = number
        c["child_start"].append(len(c["child"]))
        self.nodes.add_edges(node, operands)
        if record is None:
            name = self.frame_name() if operands else LEAF_OP
            operation = name
        else:
            name = CONSTANT_OP if self.nodes.last_is_constant else REFLECTED.get(operation, operation)
        c["op"].append(self.columns.operation_number(name))
        c["site"].append(self.scopes.site_for(operation))
        if self.announced_operands:
            self.note_operands(number)
        self.scopes.announced = 0
        self.nodes.last_node = node
        if self.scopes.operation_depth == 0 and not self.nodes.last_is_constant:
            self.scopes.group(operation, self.after_constants())

    def frame_name(self) -> str:
        for entry in reversed(self.scopes.stack):
            if entry.kind in FRAMES:
                record = self.columns.records[entry.site]
                return record.name if record is not None else LEAF_OP
        return LEAF_OP

    def note(self, entry: tuple[Any, ...]) -> None:
        code = entry[0]
        record = self.columns.records[code]
        assert record is not None
        kind = record.kind
        if kind is SITE_BIND:
            self.scopes.bind(code, entry[1], identity=entry[2] if len(entry) > 2 else 0)
        elif kind is SITE_ITERATION:
            self.scopes.iteration(code, record, entry[1])
        elif kind is SITE_ASSIGN:
            self.writes.assign(code, entry[1], entry[2])
        elif kind is SITE_UPDATE:
            self.writes.update(code, entry[1], entry[2], entry[3:])
        elif kind is SITE_BEFORE:
            self.writes.before_update(entry[1], entry[2])
        elif kind is SITE_ELEMENT:
            _, owner, path, value = entry
            if type(owner) is list or type(owner) is dict:
                is_index = type(path[-1]) is int and type(owner) is list
                text = path_text(path[:-1] if is_index else path)
                self.scopes.bind(
                    code, value, path=text, index=path[-1] if is_index else REPLACED, identity=identity_of(owner)
                )
        elif kind is SITE_APPEND:
            _, value, path, one, identity = entry
            self.scopes.bind(code, value, path=path_text(path), index=APPENDED if one else REPLACED, identity=identity)
        elif kind is SITE_CREATE:
            self.scopes.announced = code
            self.announced_operands = entry[1:]
        elif kind is SITE_SAMPLE:
            self.sample(code, entry)
        elif kind is SITE_GIVER:
            self.writes.giver = entry[1]
        elif kind is SITE_PRINT:
            self.c["print_event"].append(self.nodes.events)
            self.c["print_site"].append(code)
            self.c["print_end"].append(entry[1])
            self.scopes.event(PRINT)

    def sample(self, code: int, entry: tuple[Any, ...]) -> None:
        _, draw, weights, population, chosen = entry
        c = self.c
        c["sample_event"].append(self.nodes.events)
        c["sample_site"].append(code)
        c["sample_count"].append(len(weights))
        c["draw"].append(draw)
        choice = -1
        listed: Any = None
        if population is not None:
            items = list(population)
            for i, item in enumerate(items):
                if item is chosen or (type(item) in (int, str) and item == chosen):
                    choice = i
                    break
            if items != list(range(len(items))):
                listed = [x if type(x) in (int, str, float) else str(type(x).__name__) for x in items]
        c["choice"].append(choice)
        c["weight_start"].append(len(c["weight"]))
        c["weight"].extend(doubles(list(weights)))
        self.columns.extras.setdefault("populations", []).append(listed)
        self.scopes.event(SAMPLE)
