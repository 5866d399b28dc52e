"""Search: nodes of an episode by name, operation, value, line or scope; sorted."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.protocol.conditions import ConditionError, condition
from microgpt_tui.trace.breakpoints import BreakpointError, Output, parse, resolve
from microgpt_tui.trace.breakpoints import find as find_place
from microgpt_tui.trace.facts import facts, loop_names, names_known, parameter_names
from microgpt_tui.trace.names import own_name
from microgpt_tui.trace.trace import Trace

SORTS = ("event", "data", "grad", "size", "name")
"""Orders: by time, by number, by gradient, by magnitude, by name. A minus before it turns it round."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for."""

    text: str
    sort: str = "event"


@dataclass(frozen=True, slots=True)
class Found:
    """One row of the answer."""

    event: int
    node: int
    name: str
    op: str
    data: float
    grad: float
    line: int


def read_query(text: str) -> Query:
    """``op:exp if data > 5 sort -size`` -> query and order. Raises ConditionError for an unknown order."""
    text = text.strip()
    match = re.search(r"(?:^|\s)sort\s+(-?\w+)$", text)
    if match is None:
        return Query(text)
    if match[1].lstrip("-") not in SORTS:
        known = ", ".join(SORTS)
        raise ConditionError(f"sort by one of {known}; a minus before it turns it round", text, match.start(1))
    return Query(text[: match.start()].strip(), match[1])


class Results(Sequence[Found]):
    """The events that a search has found, in its order; a row is made when it is looked at."""

    def __init__(self, trace: Trace, events: Sequence[int], moment: int) -> None:
        self.trace = trace
        self.events = events
        self.moment = moment
        self.parameters = parameter_names(trace.program) if trace.index else {}

    def __len__(self) -> int:
        return len(self.events)

    @overload
    def __getitem__(self, index: int) -> Found: ...

    @overload
    def __getitem__(self, index: slice) -> list[Found]: ...

    def __getitem__(self, index: int | slice) -> Found | list[Found]:
        if isinstance(index, slice):
            return [self.row(e) for e in self.events[index]]
        return self.row(self.events[index])

    def row(self, event: int) -> Found:
        """One row; the gradient is that of the moment the search was made at."""
        trace = self.trace
        node = trace.node_of(event)
        if node < 0:
            return Found(event, -1, "", "", math.nan, math.nan, line_of(trace, event))
        name = self.parameters.get(node) or own_name(trace, node) or ""
        return Found(event, node, name, trace.op_name(node), trace.data_at(node, event),
                     trace.grad_at(node, self.moment), line_of(trace, event))  # fmt: skip


def line_of(trace: Trace, event: int) -> int:
    """The line of the statement around an event."""
    scope = trace.scope_of(event)
    while scope >= 0 and trace.scope_kind(scope) not in (SiteKind.STATEMENT, SiteKind.CALL):
        scope = trace.scope_parent[scope]
    return trace.program.site(trace.scope_site[scope]).line if scope >= 0 else 0


def find(trace: Trace, query: Query, at: int | None = None, output: Output | None = None) -> Results:
    """The events that a query names, in its order; gradients as they are at event ``at`` (default: the end).

    A query is a regular expression on names (``attn_logits``, ``/^q\\[\\d\\]$/``), a place as for a
    breakpoint (``op:exp``, ``softmax``, ``117``), a condition (``data > 5 and op == 'mul'``), or a place
    with a condition. Raises ConditionError, BreakpointError or re.error.
    """
    moment = len(trace) - 1 if at is None else at
    return Results(trace, _order(trace, query.sort, _events(trace, query.text, output), moment), moment)


def _events(trace: Trace, text: str, output: Output | None) -> list[int]:
    program = trace.program
    if text.startswith("/") and text.endswith("/") and len(text) > 2:
        return _by_name(trace, text[1:-1])
    if text.startswith("name:"):
        return _by_name(trace, text[5:].strip())
    if not text:
        return [e for e in trace.born if e >= 0]
    if not text.startswith("if "):
        try:
            place = parse(text, program)
            return find_place(resolve(place, program), trace, output)[0]
        except BreakpointError:
            pass
    try:
        test = condition(text.removeprefix("if "), loop_names(program))
        if test.names:
            known = facts(trace)
            events = list(range(len(trace)))
            return test.select(events, {n: known[n] for n in test.names})[0]
    except ConditionError:
        if any(sign in text for sign in ("==", "<", ">", " and ", " or ", " if ")):
            raise
    return _by_name(trace, text)


def _by_name(trace: Trace, pattern: str) -> list[int]:
    """Creations of the nodes whose name has the pattern in it, and writes of the parameters that have."""
    try:
        search = re.compile(pattern).search
    except re.error:
        search = re.compile(re.escape(pattern)).search
    names = {n: t for n, (_, t) in names_known(trace).items()}
    events = [trace.born_at(n) for n, t in names.items() if search(t)]
    if not any(search(t) for t in list(names.values())) and "[" in pattern:
        search = re.compile(re.escape(pattern)).search
        events = [trace.born_at(n) for n, t in names.items() if search(t)]
    parameters = {n for n, t in parameter_names(trace.program).items() if search(t)} if trace.index else set()
    if parameters:
        events += [e for e, n in zip(trace.write_event, trace.target, strict=True) if n in parameters]
        events += [e for e, n in zip(trace.update_event, trace.updated, strict=True) if n in parameters]
    return sorted(e for e in events if e >= 0)


def _order(trace: Trace, sort: str, events: list[int], moment: int) -> Sequence[int]:
    by = sort.lstrip("-")
    if by == "event":
        return events if not sort.startswith("-") else events[::-1]
    down = sort.startswith("-")
    if by == "name":
        names = names_known(trace)
        return sorted(events, key=lambda e: names.get(trace.node_of(e), (0, ""))[1], reverse=down)
    if by == "grad":
        numbers = [trace.grad_at(trace.node_of(e), moment) if trace.node_of(e) >= 0 else math.nan for e in events]
    else:
        data = facts(trace)["data"]
        numbers = [abs(data[e]) for e in events] if by == "size" else [data[e] for e in events]
    keyed = (
        sorted(zip(numbers, events, strict=True), key=lambda p: p[0], reverse=down)
        if not any(map(math.isnan, numbers))
        else sorted(zip(numbers, events, strict=True), key=lambda p: (math.isnan(p[0]) != down, p[0]), reverse=down)
    )
    return [e for _, e in keyed]


def annotated(trace: Trace, file: int = 0, event: int | None = None) -> dict[int, tuple[int, float, float]]:
    """Line -> (nodes it has made, smallest, largest): the source annotated with its values."""
    last = len(trace) - 1 if event is None else event
    found: dict[int, tuple[int, float, float]] = {}
    lines = {s.number: s.line for s in trace.program.sites if s is not None and s.file == file}
    for born, site, value in zip(trace.born, trace.site, trace.data, strict=True):
        line = lines.get(site)
        if line is None or not 0 <= born <= last:
            continue
        count, low, high = found.get(line, (0, math.inf, -math.inf))
        found[line] = count + 1, min(low, value), max(high, value)
    return found
