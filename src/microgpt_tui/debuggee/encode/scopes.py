"""Marks into scopes: statements, calls, loop iterations; and which sub-expression an operation belongs to."""

from __future__ import annotations

from typing import Any

from microgpt_tui.debuggee.encode.bindings import Bindings
from microgpt_tui.debuggee.encode.columns import Columns, iteration_text
from microgpt_tui.debuggee.encode.nodes import Nodes
from microgpt_tui.debuggee.record.kinds import (
    FRAMES,
    SITE_BIND,
    SITE_CALL,
    SITE_ITERATION,
    SITE_MODULE,
    SITE_OPERATION,
    SITE_STATEMENT,
    Scope,
)
from microgpt_tui.debuggee.rewrite.sites import SiteRecord
from microgpt_tui.protocol.codes import REFLECTED, WHOLE, SiteKind


class Scopes:
    """Keeps the stack of scopes; an event happens in the innermost."""

    def __init__(self, columns: Columns, nodes: Nodes, bindings: Bindings) -> None:
        self.columns = columns
        self.nodes = nodes
        self.bindings = bindings
        self.stack = nodes.stack
        nodes.shifted = self.shift
        self.span_scope = -2
        self.scope_values: dict[int, str] = {}
        """Labels of the numbered scopes."""
        self.operation_depth = 0
        self.announced = 0
        """The mark that announces the next node, or 0."""
        self.unresolved: list[tuple[str, int, int, int, int]] = []
        """(operation, scope of its statement, first node, one past the last, its last event)."""
        self.candidate_maps: dict[int, dict[str, tuple[int, ...]]] = {}

    def scope(self) -> int:
        """The number of the innermost scope, made now if it has none yet, and its parents before it."""
        top = self.stack[-1]
        if top.number >= 0:
            return top.number
        stack, c = self.stack, self.columns.c
        column, site, first, last = c["scope_parent"], c["scope_site"], c["scope_first"], c["scope_last"]
        at = len(stack) - 1
        while at > 0 and stack[at - 1].number < 0:
            at -= 1
        parent = stack[at - 1].number if at else -1
        event = self.nodes.events
        for entry in stack[at:]:
            if entry.number < 0:
                entry.number = len(column)
                column.append(parent)
                site.append(entry.site)
                first.append(event)
                last.append(-1)
                if entry.value:
                    self.scope_values[entry.number] = entry.value
                    self.columns.extras.setdefault("scope_values", []).append((entry.number, entry.value))
                if entry.binds:
                    for row in entry.binds:
                        self.bindings.write_bind(entry.number, *row)
                    entry.binds = None
            parent = entry.number
        return top.number

    def begin_span(self) -> None:
        """From the next event on, another scope."""
        scope = self.scope()
        if scope != self.span_scope:
            self.columns.c["span_start"].append(self.nodes.events)
            self.columns.c["span_scope"].append(scope)
            self.span_scope = scope

    def event(self, kind: int) -> None:
        if self.nodes.pending:
            self.nodes.flush()
        scope = self.stack[-1].number
        if scope < 0 or scope != self.span_scope:
            self.begin_span()
        self.columns.c["kind"].append(kind)

    def enter_statement(self, code: int, record: SiteRecord) -> None:
        stack = self.stack
        records = self.columns.records
        if not stack:  # a function left by an exception that its own `finally` raised
            self.to_function(record.function)
        top = stack[-1]
        if top.kind is SITE_STATEMENT:
            before = records[top.site]
            if before is not None and before.depth == record.depth and before.function == record.function:
                if top.number < 0:  # nothing happened in the statement before: it makes way
                    top.site = code
                else:
                    self.pop()
                    stack.append(Scope(code, SITE_STATEMENT))
                return
        elif top.kind is SITE_ITERATION:
            before = records[top.site]
            if before is not None and before.depth < record.depth and before.function == record.function:
                stack.append(Scope(code, SITE_STATEMENT))
                return
        self.to_function(record.function)
        while stack:
            top = stack[-1]
            if top.kind in FRAMES:
                break
            if top.kind is SITE_ITERATION:
                site = records[top.site]
                if site is not None and site.depth < record.depth:
                    break
            self.pop()
        stack.append(Scope(code, SITE_STATEMENT))

    def to_function(self, function: int) -> None:
        """Drop frames that were left without saying so (a generator, an exception)."""
        stack = self.stack
        top = self.columns.records[stack[-1].site] if stack else None
        if top is not None and top.function == function and stack[-1].kind not in FRAMES:
            return
        if not any(s.site == function for s in stack):  # one that was suspended, or whose entering was not kept
            record = self.columns.records[function]
            if record is not None and record.kind in FRAMES:
                stack.append(Scope(function, record.kind))
            return
        for i in range(len(stack) - 1, -1, -1):
            if stack[i].kind in FRAMES:
                if stack[i].site == function:
                    while len(stack) > i + 1 and any(s.kind in FRAMES for s in stack[i + 1 :]):
                        self.pop()
                    return
                if not any(s.site == function for s in stack[:i]):
                    return

    def to_loop(self, record: SiteRecord) -> None:
        """Leave the iteration of a loop that is running, if one is."""
        self.to_function(record.function)
        stack = self.stack
        while stack:
            top = stack[-1]
            if top.kind in FRAMES:
                break
            if top.kind is SITE_ITERATION:
                site = self.columns.records[top.site]
                if site is not None and site.depth < record.depth:
                    break
            elif top.kind is SITE_STATEMENT and self.is_loop_header(top.site, record):
                break
            self.pop()

    def iteration(self, code: int, record: SiteRecord, values: tuple[Any, ...]) -> None:
        self.to_loop(record)
        self.stack.append(Scope(code, SITE_ITERATION, iteration_text(record.names, values)))
        for name, value in zip(record.names, values, strict=False):
            if isinstance(value, (int, str, float, self.columns.node_class)) and type(value) is not bool:
                self.bind(code, value, name=name)

    def is_loop_header(self, site: int, iteration: SiteRecord) -> bool:
        header = self.columns.records[site]
        return header is not None and (header.line, header.column) == (iteration.line, iteration.column)

    def leave(self, kinds: tuple[SiteKind, ...]) -> None:
        if not any(s.kind in kinds for s in self.stack):
            return
        while self.stack:
            if self.pop().kind in kinds:
                break

    def suspend(self, function: int) -> None:
        """A generator is left, if it is the innermost call."""
        innermost = next((s for s in reversed(self.stack) if s.kind in FRAMES), None)
        if innermost is not None and innermost.site == function:
            self.leave(FRAMES)

    def resume(self, function: int) -> None:
        """It goes on: whatever it has called is over."""
        self.to_function(function)

    def pop(self) -> Scope:
        scope = self.stack.pop()
        number = scope.number
        if number >= 0:
            last = len(self.columns.c["kind"]) + len(self.nodes.pending) - 1
            self.columns.c["scope_last"][number] = last
            if number < self.columns.sent["scope_last"]:  # the others go out as they are
                self.columns.extras.setdefault("closed", []).append((number, last))
        if scope.kind is SITE_OPERATION:
            self.operation_depth -= 1
            if self.operation_depth == 0 and scope.start_node < self.nodes.rows:
                record = self.columns.records[scope.site]
                assert record is not None
                self.group(record.name, scope.start_node)
        return scope

    def bind(
        self, code: int, value: Any, *, name: str = "", path: str = "", index: int = WHOLE, identity: int = 0
    ) -> None:
        """Remember a variable's value, in the frame that is running."""
        stack = self.stack
        at = len(stack) - 1
        while at >= 0 and (stack[at].kind is not SITE_CALL and stack[at].kind is not SITE_MODULE):
            at -= 1
        if at < 0:
            return
        entry = stack[at]
        if type(value) is float and entry.number >= 0:
            self.bindings.write_number(entry.number, code, value, name, path, index, identity)
            return
        row = (self.nodes.events, code, value, name, path, index, identity)
        if entry.number >= 0:
            self.bindings.write_bind(entry.number, *row)
            return
        if entry.binds is None:
            entry.binds = []
        entry.binds.append(row)
        record = self.columns.records[code]
        short = type(value) is int or (type(value) is str and len(value) <= 20)
        if short and record is not None and record.kind is SITE_BIND and not entry.value.count(",") > 2:
            site = self.columns.records[entry.site]
            if site is not None and record.line == site.line:
                entry.value += (", " if entry.value else "") + f"{record.name}={value!r}"

    def statement_scope(self) -> Scope | None:
        for entry in reversed(self.stack):
            if entry.kind is SITE_STATEMENT:
                return entry
            if entry.kind in FRAMES:
                return None
        return None

    def site_for(self, operation: str) -> int:
        """The expression that makes an operation's node where only one can; else the statement."""
        statement: Scope | None = None
        for entry in reversed(self.stack):
            kind = entry.kind
            if kind is SITE_OPERATION:
                record = self.columns.records[entry.site]
                assert record is not None
                operation = record.name  # ends at the outermost one
            elif kind is SITE_STATEMENT:
                statement = entry
                break
            elif kind in FRAMES:
                break
        if statement is None:
            return self.announced or self.stack[-1].site
        places = self.candidates(statement.site).get(REFLECTED.get(operation, operation), ())
        return places[0] if len(places) == 1 else statement.site

    def candidates(self, site: int) -> dict[str, tuple[int, ...]]:
        found = self.candidate_maps.get(site)
        if found is None:
            record = self.columns.records[site]
            found = self.candidate_maps[site] = dict(record.candidates) if record is not None else {}
        return found

    def group(self, operation: str, first: int) -> None:
        """An operation as the source writes it is complete: nodes ``first`` up to now."""
        statement = self.statement_scope()
        if statement is None:
            return
        operation = REFLECTED.get(operation, operation)
        if len(self.candidates(statement.site).get(operation, ())) > 1:
            entry = (operation, statement.number, first, self.nodes.rows, self.nodes.events - 1)
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
                [last]
                if last[4] == self.nodes.events - 1 and last[0] == record.name and last[1] == statement.number
                else []
            )
        if mine:
            self.nodes.flush()
            mine = [u for u in self.unresolved if u[1] == statement.number and u[4] in {m[4] for m in mine}]
        for u in mine:
            for row in range(u[2], u[3]):
                self.columns.c["site"][row] = code
                if row < self.columns.sent["site"]:
                    self.columns.extras.setdefault("sites", []).append((self.columns.first_node + row, code))
            self.unresolved.remove(u)

    def shift(self, row: int, by: int) -> None:
        """Rows came in between: what already counted on the later ones moves."""
        self.unresolved = [
            (op, scope, first + by if first >= row else first, end + by if end > row else end, event)
            for op, scope, first, end, event in self.unresolved
        ]
        for entry in self.stack:
            if entry.start_node > row:
                entry.start_node += by
        number = self.columns.first_node + row
        if "operands" in self.columns.extras:
            self.columns.extras["operands"] = [
                (n + by if n >= number else n, v) for n, v in self.columns.extras["operands"]
            ]
