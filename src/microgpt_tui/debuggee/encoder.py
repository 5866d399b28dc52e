"""The recorder's raw log turned into the columns of a trace, a piece at a time.

The log is one list in order of time: a node that was made, a number (a mark of a site), or a
tuple (site, values...). Nothing here runs while the script runs freely; it runs when somebody
looks.
"""

from __future__ import annotations

from array import array
from itertools import accumulate, chain, islice, repeat
from operator import attrgetter
from typing import Any

from microgpt_tui.debuggee.sites import SiteRecord
from microgpt_tui.debuggee.walk import doubles
from microgpt_tui.trace.codes import (
    ACCUMULATE,
    APPENDED,
    ASSIGN,
    COLUMNS,
    CONSTANT_OP,
    CREATE,
    FIRST_SITE,
    LEAF_OP,
    LEAVE,
    LEAVE_HANDS,
    NO_NODE,
    OUTSIDE_OP,
    PRINT,
    REPLACED,
    SAMPLE,
    UPDATE,
    WHOLE,
    ZERO,
    BindKind,
    SiteKind,
)

NAN = float("nan")
_REFLECTED = {
    "radd": "add",
    "rmul": "mul",
    "rsub": "sub",
    "rtruediv": "truediv",
    "rpow": "pow",
    "iadd": "add",
}
_FRAMES = (SiteKind.CALL, SiteKind.MODULE)


class Opaque:
    """A value too long to copy: only its length is kept."""

    __slots__ = ("length",)

    def __init__(self, length: int) -> None:
        self.length = length


class Scope:
    """One entry of the stack of scopes; ``number`` is -1 until an event happens inside."""

    __slots__ = ("binds", "kind", "number", "site", "start_node", "value")

    def __init__(self, site: int, kind: SiteKind, value: str = "") -> None:
        self.site = site
        self.kind = kind
        self.number = -1
        self.value = value
        self.binds: list[tuple[Any, ...]] | None = None
        self.start_node = -1


_Maker = tuple[int, int, bool, str]
"""What a mark and its place tell of a node: operation number, site, whether it is a wrapped plain number, and the
operation's name where its sub-expression is still to be told (else empty)."""


class Encoder:
    """Columns of one episode. ``feed`` takes what is new in the log, ``flush`` gives what is new in the columns."""

    def __init__(
        self,
        records: list[SiteRecord | None],
        node_class: type,
        names: tuple[str, str],
        first_node: int,
        kept: dict[int, int],
        start_grad: dict[int, float],
        stack: list[Scope],
        weights: dict[int, Any],
    ) -> None:
        self.records = records
        self.node_class = node_class
        self.data_name, self.grad_name = names
        self.first_node = first_node
        self.ids: dict[int, int] = dict(kept)
        self.grads: dict[int, float] = start_grad
        self.weights = weights
        self.c: dict[str, array[Any]] = {name: array(code) for name, code in COLUMNS.items()}
        self.sent: dict[str, int] = dict.fromkeys(COLUMNS, 0)
        self.stack = stack
        self.done = 0
        self.op_numbers: dict[str, int] = {}
        self.ops: list[str] = []
        self.texts: list[str] = []
        self.text_numbers: dict[str, int] = {}
        self.shapes: list[Any] = []
        self.shape_numbers: dict[str, int] = {}
        self.extras: dict[str, list[Any]] = {}
        self.pending = 0
        self.pending_operands: tuple[Any, ...] = ()
        self.operation_depth = 0
        self.last_node: Any = None
        self.last_is_constant = False
        self.unresolved: list[tuple[str, int, int, int, int]] = []
        """(operation, scope of its statement, first node, one past the last, its last event)."""
        self.children_name: str | None = None
        self.locals_name: str | None = None
        self.span_scope = -2
        self.scope_values: dict[int, str] = {}
        """Labels of the numbered scopes: what armed breakpoints ask for."""
        self.handing: SiteRecord | None = None
        """The loop of a backward pass that runs: nodes in the log are those that hand down their gradients."""
        self.outside: list[Any] = []
        self.weight_places: dict[int, tuple[int, Any]] = {}
        """Lists of weights whose nodes are in ``bound_nodes`` already."""
        self.draws: list[float] = []
        self.candidate_maps: dict[int, dict[str, tuple[int, ...]]] = {}
        self.fresh: list[Any] = []
        """Nodes made since the last ``settle``: their columns are filled many at a time."""
        self.fresh_ops: list[int] = []
        self.fresh_sites: list[int] = []
        self.makers: dict[tuple[int, int], dict[int, _Maker]] = {}
        """(statement, outermost operation) -> mark before a node -> what is known of such a node."""
        self.waits = bytes(
            record is not None and record.kind in (SiteKind.CREATE, SiteKind.CONSTANT) for record in records
        )
        """By site: 1 for a mark that only announces a node."""
        self.data_of, self.grad_of = attrgetter(self.data_name), attrgetter(self.grad_name)
        self.put_bind = [
            self.c["bind_" + name].append
            for name in ("event", "scope", "site", "kind", "start", "shape", "path", "index", "list")
        ]
        self.put_write = [
            self.c[name].append for name in ("target", "source", "delta", "factor", "write_site", "write_event")
        ]
        self.put_update = [
            self.c[name].append for name in ("updated", "old", "new", "update_site", "update_event", "used_start")
        ]

    @property
    def events(self) -> int:
        """How many events there are so far."""
        return len(self.c["kind"]) + len(self.fresh)

    @property
    def rows(self) -> int:
        """How many nodes have a place in the columns so far."""
        return len(self.c["born"]) + len(self.fresh)

    # -- the log ---------------------------------------------------------------------------

    def feed(self, log: list[Any]) -> None:
        """Take what was added to the log since the last time."""
        end = len(log)
        if self.done == end:
            return
        self.reread_last_node()
        node_class, records, waits, stack = self.node_class, self.records, self.waits, self.stack
        add_node, add_op, add_site = self.fresh.append, self.fresh_ops.append, self.fresh_sites.append
        makers: dict[int, _Maker] | None = None  # for the top of the stack as it is
        position = self.done
        while position < end:
            entry = log[position]
            kind = type(entry)
            if kind is int:
                if entry >= FIRST_SITE and waits[entry]:
                    self.pending = entry
                else:
                    self.mark(entry)
                    makers = None
            elif kind is node_class:
                if self.handing is not None:
                    position = self.hand_down_run(log, position, end, self.handing)
                    continue
                pending = self.pending
                if not pending:
                    self.create(entry)
                    position += 1
                    continue
                if makers is None:
                    makers = self.makers_here()
                maker = makers.get(pending)
                if maker is None:
                    maker = makers[pending] = self.maker(pending)
                op, site, self.last_is_constant, operation = maker
                if stack[-1].number != self.span_scope or self.span_scope < 0:
                    self.begin_span()
                if self.pending_operands:
                    self.note_operands(self.first_node + self.rows)
                add_node(entry)
                add_op(op)
                add_site(site)
                self.pending = 0
                if operation and not self.operation_depth:
                    self.group(operation, self.after_constants())
            elif kind is tuple:
                record = records[entry[0]]
                if record is not None and record.kind is SiteKind.ACCUMULATE:
                    position = self.accumulate_run(log, position, end)
                    continue
                self.note(entry)
                makers = None
            else:
                self.create(entry)  # a subclass
            position += 1
        self.settle()
        self.done = end

    # -- many nodes at once ------------------------------------------------------------------

    def makers_here(self) -> dict[int, _Maker]:
        """What is known already of nodes made in the statement and operation at the top of the stack."""
        outermost = 0
        place = self.stack[-1].site
        for entry in reversed(self.stack):
            kind = entry.kind
            if kind is SiteKind.OPERATION:
                outermost = entry.site
            elif kind is SiteKind.STATEMENT:
                place = entry.site
                break
            elif kind in _FRAMES:
                place = -self.stack[-1].site
                break
        return self.makers.setdefault((place, outermost), {})

    def maker(self, pending: int) -> _Maker:
        """What a mark before a node says of it, at this place."""
        record = self.records[pending]
        assert record is not None
        constant = record.kind is SiteKind.CONSTANT
        operation = _REFLECTED.get(record.name, record.name)
        op = self.operation_number(CONSTANT_OP if constant else operation)
        statement = self.statement_scope()
        ambiguous = (
            not constant and statement is not None and len(self.candidates(statement.site).get(operation, ())) > 1
        )
        return op, self.site_for(record.name), constant, operation if ambiguous else ""

    def begin_span(self) -> None:
        """From the next event on, another scope."""
        scope = self.scope()
        if scope != self.span_scope:
            self.c["span_start"].append(self.events)
            self.c["span_scope"].append(scope)
            self.span_scope = scope

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
        settled, fresh = self.c["op"], self.fresh_ops
        for row in range(first - 1, max(-1, first - 3), -1):
            at = row - len(settled)
            if (fresh[at] if at >= 0 else settled[row]) != constant:
                break
            first = row
        return first

    def settle(self) -> None:
        """Give the fresh nodes their columns."""
        fresh = self.fresh
        if not fresh:
            return
        c, ids = self.c, self.ids
        nodes, ops, sites = fresh[:], self.fresh_ops[:], self.fresh_sites[:]
        fresh.clear()
        self.fresh_ops.clear()
        self.fresh_sites.clear()
        count, row, event = len(nodes), len(c["born"]), len(c["kind"])
        first = self.first_node + row
        self.last_node = nodes[-1]
        if self.children_name is None:
            any(self.find_edges(node) for node in nodes)
        ids.update(zip(map(id, nodes), range(first, first + count), strict=True))
        edges = self.edges_of(nodes)
        if edges is None:
            for node in nodes:
                del ids[id(node)]
            self.settle_singly(nodes, ops, sites)
            return
        counts, children, factors = edges
        c["kind"].frombytes(bytes(count))  # CREATE is 0
        c["row"].extend(range(row, row + count))
        c["born"].extend(range(event, event + count))
        c["op"].extend(ops)
        c["site"].extend(sites)
        c["child_start"].extend(islice(accumulate(counts, initial=len(c["child"])), count))
        c["child"].extend(children)
        c["local"].extend(factors)
        values = list(map(self.data_of, nodes))
        if set(map(type, values)) != {float}:
            values = [v if type(v) is float else self.odd_number(first + i, v) for i, v in enumerate(values)]
        c["data"].extend(values)

    def edges_of(self, nodes: list[Any]) -> tuple[list[int], list[int], Any] | None:
        """(operands per node, operands, local gradients), or None where a node is not like the others."""
        if self.children_name is None:
            return [0] * len(nodes), [], ()
        try:
            edges = list(map(attrgetter(self.children_name), nodes))
            counts = list(map(len, edges))
            children = list(map(self.ids.__getitem__, map(id, chain.from_iterable(edges))))
            if self.locals_name is None:
                return counts, children, repeat(NAN, len(children))
            kept = list(map(attrgetter(self.locals_name), nodes))
            if list(map(len, kept)) != counts or not set(map(type, kept)) <= {tuple, list}:
                return None
            return counts, children, array("d", list(chain.from_iterable(kept)))
        except (AttributeError, KeyError, TypeError, OverflowError):
            return None

    def settle_singly(self, nodes: list[Any], ops: list[int], sites: list[int]) -> None:
        """The same one by one: operands from earlier episodes get their rows in between."""
        c = self.c
        for node, op, site in zip(nodes, ops, sites, strict=True):
            before = len(c["born"])
            operands = self.operands(node)
            row = len(c["born"])
            if row > before:
                self.shift(before, row - before)
            number = self.first_node + row
            c["kind"].append(CREATE)
            c["row"].append(row)
            c["born"].append(len(c["kind"]) - 1)
            value = self.data_of(node)
            c["data"].append(value if type(value) is float else self.odd_number(number, value))
            self.ids[id(node)] = number
            c["child_start"].append(len(c["child"]))
            c["op"].append(op)
            c["site"].append(site)
            if operands:
                c["child"].extend(operands)
                c["local"].extend(self.local_gradients(node, len(operands)))

    def shift(self, row: int, by: int) -> None:
        """Rows came in between: what already counted on the later ones moves."""
        self.unresolved = [
            (op, scope, first + by if first >= row else first, end + by if end > row else end, event)
            for op, scope, first, end, event in self.unresolved
        ]
        for entry in self.stack:
            if entry.start_node > row:
                entry.start_node += by
        number = self.first_node + row
        if "operands" in self.extras:
            self.extras["operands"] = [(n + by if n >= number else n, v) for n, v in self.extras["operands"]]

    # -- scopes ----------------------------------------------------------------------------

    def mark(self, code: int) -> None:
        if code < FIRST_SITE:
            if code == LEAVE_HANDS:
                self.handing = None
            elif code == LEAVE:
                self.handing = None
                self.leave(_FRAMES)
            else:
                self.leave((SiteKind.OPERATION,))
            return
        record = self.records[code]
        assert record is not None
        kind = record.kind
        if kind is SiteKind.STATEMENT:
            self.enter_statement(code, record)
        elif kind is SiteKind.CREATE or kind is SiteKind.CONSTANT:
            self.pending = code
            self.pending_operands = ()
        elif kind is SiteKind.EXPRESSION:
            self.resolve_expression(code, record)
        elif kind is SiteKind.OPERATION:
            scope = Scope(code, kind)
            scope.start_node = self.rows
            self.stack.append(scope)
            self.operation_depth += 1
        elif kind is SiteKind.TURN:
            self.turn(code, record, ())
        elif kind is SiteKind.HANDS:
            self.handing = record
        elif not (kind is SiteKind.MODULE and self.stack[-1].site == code):  # the recorder has put that one there
            self.stack.append(Scope(code, kind))

    def enter_statement(self, code: int, record: SiteRecord) -> None:
        stack = self.stack
        records = self.records
        top = stack[-1]
        if top.kind is SiteKind.STATEMENT:
            before = records[top.site]
            if before is not None and before.depth == record.depth and before.function == record.function:
                if top.number < 0:  # nothing happened in the statement before: it makes way
                    top.site = code
                else:
                    self.pop()
                    stack.append(Scope(code, SiteKind.STATEMENT))
                return
        elif top.kind is SiteKind.TURN:
            before = records[top.site]
            if before is not None and before.depth < record.depth and before.function == record.function:
                stack.append(Scope(code, SiteKind.STATEMENT))
                return
        self.to_function(record.function)
        while stack:
            top = stack[-1]
            if top.kind in _FRAMES:
                break
            if top.kind is SiteKind.TURN:
                site = records[top.site]
                if site is not None and site.depth < record.depth:
                    break
            self.pop()
        stack.append(Scope(code, SiteKind.STATEMENT))

    def to_function(self, function: int) -> None:
        """Drop frames that were left without saying so (a generator, an exception)."""
        stack = self.stack
        top = self.records[stack[-1].site]
        if top is not None and top.function == function and stack[-1].kind not in _FRAMES:
            return
        for i in range(len(stack) - 1, -1, -1):
            if stack[i].kind in _FRAMES:
                if stack[i].site == function:
                    while len(stack) > i + 1 and any(s.kind in _FRAMES for s in stack[i + 1 :]):
                        self.pop()
                    return
                if not any(s.site == function for s in stack[:i]):
                    return

    def turn(self, code: int, record: SiteRecord, values: tuple[Any, ...]) -> None:
        self.to_function(record.function)
        stack = self.stack
        while stack:
            top = stack[-1]
            if top.kind in _FRAMES:
                break
            if top.kind is SiteKind.TURN:
                site = self.records[top.site]
                if site is not None and site.depth < record.depth:
                    break
            elif top.kind is SiteKind.STATEMENT and self.is_loop_header(top.site, record):
                break
            self.pop()
        self.stack.append(Scope(code, SiteKind.TURN, turn_text(record.names, values)))
        for name, value in zip(record.names, values, strict=False):
            if isinstance(value, (int, str, float, self.node_class)) and type(value) is not bool:
                self.bind(code, value, name=name)

    def is_loop_header(self, site: int, turn: SiteRecord) -> bool:
        header = self.records[site]
        return header is not None and (header.line, header.column) == (turn.line, turn.column)

    def leave(self, kinds: tuple[SiteKind, ...]) -> None:
        if not any(s.kind in kinds for s in self.stack):
            return
        while self.stack:
            if self.pop().kind in kinds:
                break

    def pop(self) -> Scope:
        scope = self.stack.pop()
        number = scope.number
        if number >= 0:
            last = len(self.c["kind"]) + len(self.fresh) - 1
            self.c["scope_last"][number] = last
            if number < self.sent["scope_last"]:  # the others go out as they are
                self.extras.setdefault("closed", []).append((number, last))
        if scope.kind is SiteKind.OPERATION:
            self.operation_depth -= 1
            if self.operation_depth == 0 and scope.start_node < self.rows:
                record = self.records[scope.site]
                assert record is not None
                self.group(record.name, scope.start_node)
        return scope

    def scope(self) -> int:
        """The number of the innermost scope, made now if it has none yet, and its parents before it."""
        top = self.stack[-1]
        if top.number >= 0:
            return top.number
        stack, c = self.stack, self.c
        column, site, first, last = c["scope_parent"], c["scope_site"], c["scope_first"], c["scope_last"]
        at = len(stack) - 1
        while at > 0 and stack[at - 1].number < 0:
            at -= 1
        parent = stack[at - 1].number if at else -1
        event = self.events
        for entry in stack[at:]:
            if entry.number < 0:
                entry.number = len(column)
                column.append(parent)
                site.append(entry.site)
                first.append(event)
                last.append(-1)
                if entry.value:
                    self.scope_values[entry.number] = entry.value
                    self.extras.setdefault("scope_values", []).append((entry.number, entry.value))
                if entry.binds:
                    for row in entry.binds:
                        self.write_bind(entry.number, *row)
                    entry.binds = None
            parent = entry.number
        return top.number

    def event(self, kind: int, row: int) -> None:
        if self.fresh:
            self.settle()
        scope = self.stack[-1].number
        if scope < 0 or scope != self.span_scope:
            self.begin_span()
        self.c["kind"].append(kind)
        self.c["row"].append(row)

    # -- nodes -----------------------------------------------------------------------------

    def create(self, node: Any) -> None:
        """A node without a mark before it, or of a subclass."""
        self.settle()
        c = self.c
        operands = self.operands(node)
        row = len(c["born"])
        record = self.records[self.pending] if self.pending else None
        operation = record.name if record is not None else ""
        self.last_is_constant = record is not None and record.kind is SiteKind.CONSTANT
        self.event(CREATE, row)
        number = self.first_node + row
        c["born"].append(len(c["kind"]) - 1)
        value = getattr(node, self.data_name)
        if type(value) is not float:
            value = self.odd_number(number, value)
        c["data"].append(value)
        self.ids[id(node)] = number
        c["child_start"].append(len(c["child"]))
        if operands:
            c["child"].extend(operands)
            c["local"].extend(self.local_gradients(node, len(operands)))
        if record is None:
            name = self.frame_name() if operands else LEAF_OP
            operation = name
        else:
            name = CONSTANT_OP if self.last_is_constant else _REFLECTED.get(operation, operation)
        c["op"].append(self.operation_number(name))
        c["site"].append(self.site_for(operation))
        if self.pending_operands:
            self.note_operands(number)
        self.pending = 0
        self.last_node = node
        if self.operation_depth == 0 and not self.last_is_constant:
            self.group(operation, self.after_constants())

    def odd_number(self, number: int, value: Any) -> float:
        if type(value) is int or type(value) is bool:
            self.c["int_data"].append(number)
            return float(value)
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            self.extras.setdefault("odd_data", []).append((number, f"<{type(value).__name__}>"))
            return NAN

    def frame_name(self) -> str:
        for entry in reversed(self.stack):
            if entry.kind in _FRAMES:
                record = self.records[entry.site]
                return record.name if record is not None else LEAF_OP
        return LEAF_OP

    def operands(self, node: Any) -> list[int]:
        """The numbers of a node's operands, in the script's order."""
        if self.children_name is None and not self.find_edges(node):
            return []
        children = getattr(node, self.children_name or "", None)
        if not children:
            return []
        ids = self.ids
        try:
            return [ids[id(other)] for other in children]
        except KeyError:
            return [self.number_of(other) for other in children]

    def local_gradients(self, node: Any, count: int) -> Any:
        """The derivatives that a node keeps for its operands; NaN each where it keeps none."""
        factors: Any = getattr(node, self.locals_name, None) if self.locals_name else None
        if isinstance(factors, dict):
            factors = [factors.get(k, NAN) for k in getattr(node, self.children_name or "")]
        if factors is None or len(factors) != count:
            return (NAN,) * count
        return factors if all(type(f) in (float, int) for f in factors) else doubles(list(factors))

    def find_edges(self, node: Any) -> bool:
        """Which attributes hold the operands and the local gradients: told from a node that has some."""
        names = _attribute_names(node)
        for name in names:
            value = getattr(node, name, None)
            if isinstance(value, tuple | list | set | frozenset | dict) and value:
                if all(isinstance(x, self.node_class) for x in value):
                    self.children_name = name
                    break
        if self.children_name is None:
            return False
        self.find_locals(node, names)
        return True

    def find_locals(self, node: Any, names: list[str]) -> None:
        count = len(getattr(node, self.children_name or ""))
        for name in names:
            value = getattr(node, name, None)
            if name != self.children_name and isinstance(value, tuple | list) and len(value) == count:
                if all(isinstance(x, int | float) for x in value):
                    self.locals_name = name
                    return
            if isinstance(value, dict) and value and all(isinstance(x, self.node_class) for x in value):
                self.locals_name = name
                return

    def reread_last_node(self) -> None:
        """Local gradients may be assigned after ``__init__``: read the newest node's edges once more."""
        node = self.last_node
        if node is None:
            return
        self.last_node = None
        operands = self.operands(node)
        if operands and self.locals_name is None:
            self.find_locals(node, _attribute_names(node))
        c = self.c
        row = self.ids[id(node)] - self.first_node
        start = c["child_start"][row]
        del c["child"][start:], c["local"][start:]
        c["child"].extend(operands)
        c["local"].extend(self.local_gradients(node, len(operands)))
        for name in ("child", "local"):
            self.sent[name] = min(self.sent[name], start)
        if len(c["born"]) > row + 1:  # nodes of earlier episodes came in after it
            self.sent["child_start"] = min(self.sent["child_start"], row + 1)
            for i in range(row + 1, len(c["born"])):
                c["child_start"][i] = len(c["child"])

    def number_of(self, node: Any) -> int:
        """The number of a node; one from an earlier episode, met for the first time, gets one without an event."""
        number = self.ids.get(id(node))
        if number is not None:
            return number
        if self.fresh:
            self.settle()
            if id(node) in self.ids:
                return self.ids[id(node)]
        c = self.c
        row = len(c["born"])
        number = self.ids[id(node)] = self.first_node + row
        self.outside.append(node)
        value = getattr(node, self.data_name, NAN)
        c["born"].append(-1)
        c["op"].append(self.operation_number(OUTSIDE_OP))
        c["data"].append(value if type(value) is float else self.odd_number(number, value))
        c["child_start"].append(len(c["child"]))
        c["site"].append(self.stack[0].site)
        grad = getattr(node, self.grad_name, 0)
        if type(grad) in (int, float) and grad:
            self.grads[number] = grad
            self.extras.setdefault("start_grads", []).append((number, float(grad)))
        return number

    def operation_number(self, name: str) -> int:
        found = self.op_numbers.get(name)
        if found is None:
            found = self.op_numbers[name] = len(self.ops)
            self.ops.append(name)
        return found

    # -- which sub-expression ------------------------------------------------------------------

    def statement_scope(self) -> Scope | None:
        for entry in reversed(self.stack):
            if entry.kind is SiteKind.STATEMENT:
                return entry
            if entry.kind in _FRAMES:
                return None
        return None

    def site_for(self, operation: str) -> int:
        """The expression that makes an operation's node where only one can; else the statement."""
        statement: Scope | None = None
        for entry in reversed(self.stack):
            kind = entry.kind
            if kind is SiteKind.OPERATION:
                record = self.records[entry.site]
                assert record is not None
                operation = record.name  # ends at the outermost one
            elif kind is SiteKind.STATEMENT:
                statement = entry
                break
            elif kind in _FRAMES:
                break
        if statement is None:
            return self.pending or self.stack[-1].site
        places = self.candidates(statement.site).get(_REFLECTED.get(operation, operation), ())
        return places[0] if len(places) == 1 else statement.site

    def candidates(self, site: int) -> dict[str, tuple[int, ...]]:
        found = self.candidate_maps.get(site)
        if found is None:
            record = self.records[site]
            found = self.candidate_maps[site] = dict(record.candidates) if record is not None else {}
        return found

    def group(self, operation: str, first: int) -> None:
        """An operation as the source writes it is complete: nodes ``first`` up to now."""
        statement = self.statement_scope()
        if statement is None:
            return
        operation = _REFLECTED.get(operation, operation)
        if len(self.candidates(statement.site).get(operation, ())) > 1:
            entry = (operation, statement.number, first, self.rows, self.events - 1)
            self.unresolved.append(entry)

    def resolve_expression(self, code: int, record: SiteRecord) -> None:
        """A mark right after an operation: the newest unresolved one of its kind is this expression's."""
        if not self.unresolved:
            return
        statement = self.statement_scope()
        if statement is None or statement.site != record.statement:
            return
        if "call" in record.names:
            mine = [u for u in self.unresolved if u[1] == statement.number and u[0] == record.name]
        else:
            last = self.unresolved[-1]
            mine = (
                [last] if last[4] == self.events - 1 and last[0] == record.name and last[1] == statement.number else []
            )
        if mine:
            self.settle()
            mine = [u for u in self.unresolved if u[1] == statement.number and u[4] in {m[4] for m in mine}]
        for u in mine:
            for row in range(u[2], u[3]):
                self.c["site"][row] = code
                if row < self.sent["site"]:
                    self.extras.setdefault("sites", []).append((self.first_node + row, code))
            self.unresolved.remove(u)

    # -- notes -----------------------------------------------------------------------------

    def note(self, entry: tuple[Any, ...]) -> None:
        code = entry[0]
        record = self.records[code]
        assert record is not None
        kind = record.kind
        if kind is SiteKind.BIND:
            self.bind(code, entry[1], identity=entry[2] if len(entry) > 2 else 0)
        elif kind is SiteKind.TURN:
            self.turn(code, record, entry[1])
        elif kind is SiteKind.ASSIGN:
            self.assign(code, entry[1], entry[2])
        elif kind is SiteKind.UPDATE:
            self.update(code, entry[1], entry[2], entry[3:])
        elif kind is SiteKind.ELEMENT:
            _, owner, path, value = entry
            if type(owner) is list or type(owner) is dict:
                is_index = type(path[-1]) is int and type(owner) is list
                text = _path_text(path[:-1] if is_index else path)
                self.bind(code, value, path=text, index=path[-1] if is_index else REPLACED, identity=id(owner))
        elif kind is SiteKind.APPEND:
            _, value, path, one, identity = entry
            self.bind(code, value, path=_path_text(path), index=APPENDED if one else REPLACED, identity=identity)
        elif kind is SiteKind.CREATE:
            self.pending = code
            self.pending_operands = entry[1:]
        elif kind is SiteKind.SAMPLE:
            self.sample(code, entry)
        elif kind is SiteKind.PRINT:
            self.c["print_event"].append(self.events)
            self.c["print_site"].append(code)
            self.c["print_end"].append(entry[1])
            self.event(PRINT, len(self.c["print_event"]) - 1)

    def accumulate_run(self, log: list[Any], position: int, end: int) -> int:
        """A run of ``child.grad += local * v.grad``, and where it ends: the hottest loop of the encoder."""
        records, waiting = self.records, position
        code, kinds = -1, 0
        while waiting < end:  # where the run ends
            entry = log[waiting]
            if type(entry) is not tuple:
                break
            if entry[0] != code:
                record = records[entry[0]]
                if record is None or record.kind is not SiteKind.ACCUMULATE:
                    break
                code = entry[0]
                kinds += 1
            waiting += 1
        run = log[position:waiting]
        if self.fresh:
            self.settle()
        ids, node_class = self.ids, self.node_class
        try:
            targets = [ids[id(entry[1])] for entry in run]
        except KeyError:
            run = [entry for entry in run if isinstance(entry[1], node_class)]
            targets = [self.number_of(entry[1]) for entry in run]
        if not run:
            return waiting
        known = ids.get
        self.write_grads(
            targets,
            [known(id(entry[2]), NO_NODE) for entry in run],
            [entry[3] for entry in run],
            [NAN if entry[4] is None else entry[4] for entry in run],
            array("i", (code,)) * len(run) if kinds == 1 else array("i", [entry[0] for entry in run]),
        )
        return waiting

    def write_grads(
        self, targets: list[int], sources: list[int], deltas: list[Any], factors: list[Any], sites: array[int]
    ) -> None:
        """A run of contributions: the running sums are added up as the script does it, one after another."""
        grads = self.grads
        so_far = grads.get
        afters: list[Any] = []
        add = afters.append
        for target, delta in zip(targets, deltas, strict=True):
            after = grads[target] = so_far(target, 0) + delta
            add(after)
        self.write_rows(targets, sources, deltas, factors, afters, sites)

    def write_rows(
        self,
        targets: list[int],
        sources: Any,
        deltas: list[Any],
        factors: list[Any],
        afters: list[Any],
        sites: array[int],
    ) -> None:
        """Contributions and the sums after them become events."""
        c = self.c
        count, row, event = len(targets), len(c["target"]), self.events
        self.event(ACCUMULATE, row)
        c["kind"].frombytes(bytes((ACCUMULATE,)) * (count - 1))
        c["row"].extend(range(row + 1, row + count))
        c["target"].extend(targets)
        c["source"].extend(sources)
        c["delta"].extend(doubles(deltas))
        c["factor"].extend(doubles(factors))
        if set(map(type, afters)) != {float}:
            afters = [
                after if type(after) is float else self.odd_after(row + i, after) for i, after in enumerate(afters)
            ]
        c["after"].extend(afters)
        c["write_site"].extend(sites)
        c["write_event"].extend(range(event, event + count))

    def hand_down_run(self, log: list[Any], position: int, end: int, loop: SiteRecord) -> int:
        """A run of nodes that hand their gradients to their operands, and where it ends.

        What each hands down is computed as the script does it: local gradient × its own grad.
        """
        if self.fresh:
            self.settle()
        node_class, ids = self.node_class, self.ids
        waiting = position
        while waiting < end and (type(log[waiting]) is node_class or isinstance(log[waiting], node_class)):
            waiting += 1
        nodes = log[position:waiting]
        children = list(map(attrgetter(loop.names[0]), nodes))
        factors = list(map(attrgetter(loop.names[1]), nodes))
        counts = list(map(len, children))
        if counts != list(map(len, factors)):  # the script's zip ends with the shorter one
            counts = list(map(min, counts, map(len, factors)))
            children = [tuple(islice(part, n)) for part, n in zip(children, counts, strict=True)]
            factors = [tuple(islice(part, n)) for part, n in zip(factors, counts, strict=True)]
        operands = list(chain.from_iterable(children))
        try:
            sources = list(map(ids.__getitem__, map(id, nodes)))
            targets = list(map(ids.__getitem__, map(id, operands)))
        except KeyError:
            sources, targets = [], []
            for node, part in zip(nodes, children, strict=True):
                sources.append(self.number_of(node))
                targets.extend(map(self.number_of, part))
        if not targets:
            return waiting
        flat = list(chain.from_iterable(factors))
        grads = self.grads
        grads.update(dict.fromkeys(set(targets).difference(grads), 0))
        so_far = grads.get
        deltas: list[Any] = []
        afters: list[Any] = []
        add_delta, add_after = deltas.append, afters.append
        edges = zip(targets, flat, strict=True)
        for source, count in zip(sources, counts, strict=True):
            if count:
                upstream = so_far(source, 0)
                for target, factor in islice(edges, count):
                    delta = factor * upstream
                    after = grads[target] = grads[target] + delta
                    add_delta(delta)
                    add_after(after)
        givers = chain.from_iterable(map(repeat, sources, counts))
        sites = array("i", (loop.statement,)) * len(targets)
        self.write_rows(targets, givers, deltas, flat, afters, sites)
        return waiting

    def odd_after(self, row: int, value: Any) -> float:
        if type(value) is int:
            self.c["int_after"].append(row)
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            return NAN

    def assign(self, code: int, owner: Any, value: Any) -> None:
        if self.fresh:
            self.settle()
        target = self.ids.get(id(owner))
        if target is None:
            if not isinstance(owner, self.node_class):
                return
            target = self.number_of(owner)
        c = self.c
        row = len(c["target"])
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = NAN
        is_zero = number == 0.0
        for put, x in zip(self.put_write, (target, NO_NODE, NAN, NAN, code, len(c["kind"])), strict=True):
            put(x)
        c["after"].append(number)
        if type(value) is int:
            c["int_after"].append(row)
        self.grads[target] = value
        self.event(ZERO if is_zero else ASSIGN, row)

    def update(self, code: int, owner: Any, value: Any, used: tuple[Any, ...]) -> None:
        if self.fresh:
            self.settle()
        target = self.ids.get(id(owner))
        if target is None:
            if not isinstance(owner, self.node_class):
                return
            target = self.number_of(owner)
        c = self.c
        row = len(c["updated"])
        old = self.current.get(target)
        if old is None:
            if target >= self.first_node:
                old = c["data"][target - self.first_node]
            else:
                old = NAN
        number = value if type(value) is float else self.odd_number(target, value)
        self.current[target] = number
        for put, x in zip(self.put_update, (target, old, number, code, len(c["kind"]), len(c["used"])), strict=True):
            put(x)
        c["used"].extend([x if type(x) is float or type(x) is int else NAN for x in used])
        self.event(UPDATE, row)

    current: dict[int, float]
    """Data of the nodes that may be updated; the recorder fills in the start of the episode."""

    def sample(self, code: int, entry: tuple[Any, ...]) -> None:
        _, draw, weights, population, chosen = entry
        c = self.c
        row = len(c["sample_event"])
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
        self.event(SAMPLE, row)

    # -- variables -------------------------------------------------------------------------

    def bind(
        self, code: int, value: Any, *, name: str = "", path: str = "", index: int = WHOLE, identity: int = 0
    ) -> None:
        """Remember a variable's value, in the frame that is running."""
        stack = self.stack
        at = len(stack) - 1
        while at >= 0 and (stack[at].kind is not SiteKind.CALL and stack[at].kind is not SiteKind.MODULE):
            at -= 1
        if at < 0:
            return
        entry = stack[at]
        row = (self.events, code, value, name, path, index, identity)
        if entry.number >= 0:
            self.write_bind(entry.number, *row)
            return
        if entry.binds is None:
            entry.binds = []
        entry.binds.append(row)
        record = self.records[code]
        short = type(value) is int or (type(value) is str and len(value) <= 20)
        if short and record is not None and record.kind is SiteKind.BIND and not entry.value.count(",") > 2:
            site = self.records[entry.site]
            if site is not None and record.line == site.line:
                entry.value += (", " if entry.value else "") + f"{record.name}={value!r}"

    def write_bind(
        self, scope: int, event: int, code: int, value: Any, name: str, path: str, index: int, identity: int
    ) -> None:
        c = self.c
        kind = type(value)
        shape: Any = None
        start = 0
        if self.fresh and kind is not float and kind is not int:
            self.settle()
        if kind is float:
            which, start = BindKind.NUMBER, len(c["bound_numbers"])
            c["bound_numbers"].append(value)
        elif kind is int or kind is bool:
            which, start = BindKind.INTEGER, len(c["bound_numbers"])
            c["bound_numbers"].append(float(value) if abs(value) < 2**53 else NAN)
        elif kind is str:
            which, start = BindKind.TEXT, self.text(value[:200])
        elif kind is Opaque:
            which, shape = BindKind.OTHER, value.length
        elif kind is tuple or kind is list:
            leaves: list[Any] = []
            first: Any = None
            known = self.weight_places.get(id(value))
            if known is not None:
                which, (start, shape) = BindKind.NODES, known
            else:
                shape = self.flatten(value, leaves)
                first = leaves[0] if leaves else None
            if known is not None:
                pass
            elif isinstance(first, self.node_class):
                which, start = BindKind.NODES, len(c["bound_nodes"])
                ids = self.ids
                for leaf in leaves:
                    number = ids.get(id(leaf))
                    if number is None:
                        number = self.number_of(leaf) if isinstance(leaf, self.node_class) else NO_NODE
                    c["bound_nodes"].append(number)
                if id(value) in self.weights:
                    self.weight_places[id(value)] = start, shape
            elif first is None or type(first) in (int, float, bool):
                which, start = BindKind.NUMBERS, len(c["bound_numbers"])
                c["bound_numbers"].extend(doubles(leaves))
            else:
                which = BindKind.OTHER
        else:
            which, start = BindKind.NODE, len(c["bound_nodes"])
            number = self.ids.get(id(value))
            c["bound_nodes"].append(self.number_of(value) if number is None else number)
        place = self.text(path or name) if path or name else -1
        numbers = (event, scope, code, which, start, -1 if shape is None else self.shape(shape), place, index, identity)
        for put, number in zip(self.put_bind, numbers, strict=True):
            put(number)

    def flatten(self, value: Any, leaves: list[Any]) -> Any:
        """A nesting's shape: a number for a flat list, else a list of the parts' shapes (one number n×m as [n, m])."""
        if not value or not isinstance(value[0], tuple | list):
            leaves.extend(value)
            return len(value)
        return [self.flatten(part, leaves) if isinstance(part, tuple | list) else 0 for part in value]

    def shape(self, shape: Any) -> int:
        if shape is None:
            return -1
        key = repr(shape)
        number = self.shape_numbers.get(key)
        if number is None:
            number = self.shape_numbers[key] = len(self.shapes)
            self.shapes.append(shape)
            self.extras.setdefault("shapes", []).append(shape)
        return number

    def text(self, text: str) -> int:
        number = self.text_numbers.get(text)
        if number is None:
            number = self.text_numbers[text] = len(self.texts)
            self.texts.append(text)
            self.extras.setdefault("texts", []).append(text)
        return number

    # -- out -------------------------------------------------------------------------------

    def flush(self) -> tuple[dict[str, Any], dict[str, tuple[int, bytes]]]:
        """What is new since the last time: a header, and per column its start and bytes."""
        blobs: dict[str, tuple[int, bytes]] = {}
        for name, column in self.c.items():
            start = self.sent[name]
            if len(column) > start:
                blobs[name] = (start, column[start:].tobytes())
            self.sent[name] = len(column)
        header = self.extras
        sent_ops = getattr(self, "sent_ops", 0)
        if len(self.ops) > sent_ops:
            header["ops"] = self.ops[sent_ops:]
            self.sent_ops = len(self.ops)
        self.extras = {}
        return header, blobs


def _path_text(path: tuple[Any, ...]) -> str:
    return "".join(f"[{p!r}]" for p in path if type(p) in (int, str))


def turn_text(names: tuple[str, ...], values: tuple[Any, ...]) -> str:
    """``pos_id=2``: the loop's plain variables."""
    parts = []
    for name, value in zip(names, values, strict=False):
        if type(value) is int or (type(value) is str and len(value) <= 24):
            parts.append(f"{name}={value!r}" if type(value) is str else f"{name}={value}")
    return ", ".join(parts[:3])


def _attribute_names(node: Any) -> list[str]:
    return [n for cls in type(node).__mro__ for n in _slots(cls)] + list(getattr(node, "__dict__", ()))


def _slots(cls: type) -> tuple[str, ...]:
    slots = cls.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


__all__ = ["Encoder", "Opaque", "Scope"]
