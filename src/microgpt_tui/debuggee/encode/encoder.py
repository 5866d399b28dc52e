"""The recorder's raw log turned into the columns of a trace, a piece at a time.

The log is one list in order of time: a node that was made, a number (a mark of a site), or a
tuple (site, values...). Nothing here runs while the script runs freely; it runs when somebody
looks.
"""

from __future__ import annotations

from typing import Any

from microgpt_tui.debuggee.encode.columns import path_text
from microgpt_tui.debuggee.encode.iterations import Iterations
from microgpt_tui.debuggee.record.kinds import (
    FRAMES,
    REFLECTED,
    SITE_ACCUMULATE,
    SITE_APPEND,
    SITE_ASSIGN,
    SITE_BEFORE,
    SITE_BIND,
    SITE_CONSTANT,
    SITE_CREATE,
    SITE_ELEMENT,
    SITE_EXPRESSION,
    SITE_ITERATION,
    SITE_MODULE,
    SITE_OPERATION,
    SITE_PRINT,
    SITE_PROPAGATE,
    SITE_SAMPLE,
    SITE_STATEMENT,
    SITE_UPDATE,
    Maker,
    Scope,
)
from microgpt_tui.debuggee.record.walk import doubles
from microgpt_tui.protocol.codes import (
    APPENDED,
    CONSTANT_OP,
    CREATE,
    FIRST_SITE,
    LEAF_OP,
    LEAVE,
    LEAVE_PROPAGATE,
    PRINT,
    REPLACED,
    SAMPLE,
)


class Encoder(Iterations):
    """Columns of one episode. ``feed`` takes what is new in the log, ``flush`` gives what is new in the columns."""

    def feed(self, log: list[Any], end: int | None = None) -> None:
        """Take what was added to the log since the last time (up to entry ``end``)."""
        end = len(log) if end is None else end
        if self.done >= end:
            return
        self.reread_last_node()
        self.read(log, self.done, end)
        self.settle()
        self.done = end

    def read(self, log: list[Any], position: int, end: int) -> None:
        """Encode entries one after another."""
        node_class, records, waits = self.node_class, self.records, self.waits
        fresh, add_maker = self.fresh, self.fresh_makers.append
        makers: dict[int, Maker] | None = None  # for the top of the stack; None when that may have changed
        pending, propagating = self.pending, self.propagating
        while position < end:
            entry = log[position]
            kind = type(entry)
            if kind is int:
                if entry >= FIRST_SITE and waits[entry]:
                    pending = entry
                else:
                    self.mark(entry)
                    makers, propagating = None, self.propagating
            elif kind is node_class and pending and propagating is None:
                if makers is None:
                    makers = self.makers_here()
                    self.begin_span()
                maker = makers.get(pending)
                if maker is None:
                    maker = makers[pending] = self.maker(pending)
                if self.pending_operands:
                    self.note_operands(self.first_node + self.rows)
                fresh.append(entry)
                add_maker(maker)
                pending = 0
                if not maker[3]:
                    position = self.create_run(log, position + 1, end, makers)
                    continue
                if not self.operation_depth:
                    self.group(maker[3], self.after_constants())
            elif kind is tuple:
                record = records[entry[0]]
                if record is not None and record.kind is SITE_ACCUMULATE:
                    position = self.accumulate_run(log, position, end)
                    continue
                self.pending = pending
                makers = None
                if record is not None and record.kind is SITE_ITERATION:
                    after = self.vectorised_iterations(log, position, end)
                    if after > position:
                        position, propagating = after, self.propagating
                        continue
                self.note(entry)
                pending = self.pending
            elif propagating is not None:
                position = self.propagate_run(log, position, end, propagating)
                continue
            else:
                self.pending = pending
                self.create(entry)
                pending = 0
            position += 1
        self.pending = pending

    def create_run(self, log: list[Any], position: int, end: int, makers: dict[int, Maker]) -> int:
        """Known marks and their nodes in turn, at one place (a dot product is nothing else), and where that ends."""
        pairs = iter(log)
        pairs.__setstate__(position)  # type: ignore[attr-defined]  # a list's iterator can start anywhere
        known, add_maker, begin = makers.get, self.fresh_makers.append, position
        node_class = self.node_class
        for mark, node in zip(pairs, pairs, strict=False):
            maker = known(mark) if type(mark) is int else None
            if maker is None or maker[3] or type(node) is not node_class or position + 1 >= end:
                break
            add_maker(maker)
            position += 2
        self.fresh += log[begin + 1 : position : 2]
        return position

    def makers_here(self) -> dict[int, Maker]:
        """What is known already of nodes made in the statement and operation at the top of the stack."""
        outermost = 0
        place = self.stack[-1].site
        for entry in reversed(self.stack):
            kind = entry.kind
            if kind is SITE_OPERATION:
                outermost = entry.site
            elif kind is SITE_STATEMENT:
                place = entry.site
                break
            elif kind in FRAMES:
                place = -self.stack[-1].site
                break
        return self.makers.setdefault((place, outermost), {})

    def maker(self, pending: int) -> Maker:
        """What a mark before a node says of it, at this place."""
        record = self.records[pending]
        assert record is not None
        constant = record.kind is SITE_CONSTANT
        operation = REFLECTED.get(record.name, record.name)
        op = self.operation_number(CONSTANT_OP if constant else operation)
        statement = self.statement_scope()
        ambiguous = (
            not constant and statement is not None and len(self.candidates(statement.site).get(operation, ())) > 1
        )
        return op, self.site_for(record.name), constant, operation if ambiguous else ""

    def note_operands(self, number: int) -> None:
        """The plain numbers that the next node's operation uses (an exponent)."""
        numbers = [float(x) for x in self.pending_operands if type(x) in (int, float, bool)]
        if numbers:
            self.extras.setdefault("operands", []).append((number, numbers))
        self.pending_operands = ()

    def after_constants(self) -> int:
        """The first row of an operation that ends with the newest node: its wrapped numbers are part of it."""
        first = self.rows - 1
        constant = self.op_numbers.get(CONSTANT_OP, -1)
        settled, fresh = self.c["op"], self.fresh_makers
        for row in range(first - 1, max(-1, first - 3), -1):
            at = row - len(settled)
            if (fresh[at][0] if at >= 0 else settled[row]) != constant:
                break
            first = row
        return first

    def mark(self, code: int) -> None:
        if code < FIRST_SITE:
            if code == LEAVE_PROPAGATE:
                self.propagating = None
            elif code == LEAVE:
                self.propagating = None
                self.leave(FRAMES)
            else:
                self.leave((SITE_OPERATION,))
            return
        record = self.records[code]
        assert record is not None
        kind = record.kind
        if kind is SITE_STATEMENT:
            self.enter_statement(code, record)
        elif kind is SITE_CREATE or kind is SITE_CONSTANT:
            self.pending = code
            self.pending_operands = ()
        elif kind is SITE_EXPRESSION:
            self.resolve_expression(code, record)
        elif kind is SITE_OPERATION:
            scope = Scope(code, kind)
            scope.start_node = self.rows
            self.stack.append(scope)
            self.operation_depth += 1
        elif kind is SITE_ITERATION:
            self.iteration(code, record, ())
        elif kind is SITE_PROPAGATE:
            self.propagating = record
        elif not (kind is SITE_MODULE and self.stack[-1].site == code):  # the recorder has put that one there
            self.stack.append(Scope(code, kind))

    def create(self, node: Any) -> None:
        """A node without a mark before it, or of a subclass."""
        self.settle()
        c = self.c
        operands = self.operands(node)
        row = len(c["data"])
        record = self.records[self.pending] if self.pending else None
        operation = record.name if record is not None else ""
        self.last_is_constant = record is not None and record.kind is SITE_CONSTANT
        self.event(CREATE)
        number = self.first_node + row
        value = getattr(node, self.data_name)
        if type(value) is not float:
            value = self.odd_number(number, value)
        c["data"].append(value)
        self.ids[id(node)] = number
        c["child_start"].append(len(c["child"]))
        self.add_edges(node, operands)
        if record is None:
            name = self.frame_name() if operands else LEAF_OP
            operation = name
        else:
            name = CONSTANT_OP if self.last_is_constant else REFLECTED.get(operation, operation)
        c["op"].append(self.operation_number(name))
        c["site"].append(self.site_for(operation))
        if self.pending_operands:
            self.note_operands(number)
        self.pending = 0
        self.last_node = node
        if self.operation_depth == 0 and not self.last_is_constant:
            self.group(operation, self.after_constants())

    def frame_name(self) -> str:
        for entry in reversed(self.stack):
            if entry.kind in FRAMES:
                record = self.records[entry.site]
                return record.name if record is not None else LEAF_OP
        return LEAF_OP

    def note(self, entry: tuple[Any, ...]) -> None:
        code = entry[0]
        record = self.records[code]
        assert record is not None
        kind = record.kind
        if kind is SITE_BIND:
            self.bind(code, entry[1], identity=entry[2] if len(entry) > 2 else 0)
        elif kind is SITE_ITERATION:
            self.iteration(code, record, entry[1])
        elif kind is SITE_ASSIGN:
            self.assign(code, entry[1], entry[2])
        elif kind is SITE_UPDATE:
            self.update(code, entry[1], entry[2], entry[3:])
        elif kind is SITE_BEFORE:
            self.before_update(entry[1], entry[2])
        elif kind is SITE_ELEMENT:
            _, owner, path, value = entry
            if type(owner) is list or type(owner) is dict:
                is_index = type(path[-1]) is int and type(owner) is list
                text = path_text(path[:-1] if is_index else path)
                self.bind(code, value, path=text, index=path[-1] if is_index else REPLACED, identity=id(owner))
        elif kind is SITE_APPEND:
            _, value, path, one, identity = entry
            self.bind(code, value, path=path_text(path), index=APPENDED if one else REPLACED, identity=identity)
        elif kind is SITE_CREATE:
            self.pending = code
            self.pending_operands = entry[1:]
        elif kind is SITE_SAMPLE:
            self.sample(code, entry)
        elif kind is SITE_PRINT:
            self.c["print_event"].append(self.events)
            self.c["print_site"].append(code)
            self.c["print_end"].append(entry[1])
            self.event(PRINT)

    def sample(self, code: int, entry: tuple[Any, ...]) -> None:
        _, draw, weights, population, chosen = entry
        c = self.c
        c["sample_event"].append(self.events)
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
        self.extras.setdefault("populations", []).append(listed)
        self.event(SAMPLE)
