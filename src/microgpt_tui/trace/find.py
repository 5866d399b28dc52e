"""Search: nodes of an episode by name, operation, value, line or scope; sorted."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from microgpt_tui.protocol.conditions import ConditionError, condition
from microgpt_tui.trace.breakpoints import BreakpointError, Output, parse, resolve
from microgpt_tui.trace.breakpoints import find as find_place
from microgpt_tui.trace.facts import fact, facts, loop_names
from microgpt_tui.trace.names import names_given, own_name, parameter_names
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
        node, line = trace.node_of(event), fact(trace, event, "line")
        if node < 0:
            return Found(event, -1, "", "", math.nan, math.nan, line)
        return Found(event, node, own_name(trace, node) or "", trace.op_name(node), trace.data_at(node, event),
                     trace.grad_at(node, self.moment), line)  # fmt: skip


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
        return _by_name(trace, text[1:-1], regular=True)
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


def _by_name(trace: Trace, pattern: str, *, regular: bool = False) -> list[int]:
    """Creations of the nodes whose name has the pattern in it, and writes of the parameters that have.

    What is written as a name (``q[1]``) is taken literally where that finds something.
    """
    found = [] if regular else _events_of_names(trace, re.compile(re.escape(pattern)))
    if not found:
        try:
            with warnings.catch_warnings():  # it warns of "[[" on the terminal that the screen has
                warnings.simplefilter("ignore", FutureWarning)
                compiled = re.compile(pattern)
            found = _events_of_names(trace, compiled)
        except re.error:
            if regular:
                raise
    return found


def _events_of_names(trace: Trace, pattern: re.Pattern[str]) -> list[int]:
    search = pattern.search
    events = [trace.born_at(n) for n, (_, text) in names_given(trace).items() if search(text)]
    parameters = {n for n, text in parameter_names(trace.program).items() if search(text)}
    if parameters:
        events += [trace.born_at(n) for n in parameters]
        events += [e for e, n in zip(trace.write_event, trace.target, strict=True) if n in parameters]
        events += [e for e, n in zip(trace.update_event, trace.updated, strict=True) if n in parameters]
    return sorted({e for e in events if e >= 0})


def _order(trace: Trace, sort: str, events: list[int], moment: int) -> Sequence[int]:
    by = sort.lstrip("-")
    if by == "event":
        return events if not sort.startswith("-") else events[::-1]
    down = sort.startswith("-")
    if by == "name":
        names = facts(trace)["node"]
        return sorted(events, key=lambda e: (own_name(trace, names[e]) or "") if names[e] >= 0 else "", reverse=down)
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
