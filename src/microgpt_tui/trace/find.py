"""Search: nodes of an episode by name, operation, value, line or scope; sorted."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from microgpt_tui.trace.breakpoints import BreakpointError, Output, parse, resolve
from microgpt_tui.trace.breakpoints import find as find_place
from microgpt_tui.trace.conditions import ConditionError, condition
from microgpt_tui.trace.facts import facts, loop_names, names_known, parameter_names
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


def find(trace: Trace, query: Query, at: int | None = None, output: Output | None = None) -> list[Found]:
    """The events that a query names, in its order; gradients as they are at event ``at`` (default: the end).

    A query is a regular expression on names (``attn_logits``, ``/^q\\[\\d\\]$/``), a place as for a
    breakpoint (``op:exp``, ``softmax``, ``117``), a condition (``data > 5 and op == 'mul'``), or a place
    with a condition. Raises ConditionError, BreakpointError or re.error.
    """
    events, known_names = _events(trace, query.text, output)
    moment = len(trace) - 1 if at is None else at
    known = facts(trace)
    nodes, ops, data, lines = known["node"], known["op"], known["data"], known["line"]
    parameters = parameter_names(trace.program) if trace.index else {}
    names = known_names if known_names is not None else {n: t for n, (_, t) in names_known(trace).items()}
    ordered = _order(trace, query.sort, events, names, moment)
    return [
        Found(e, nodes[e], names.get(nodes[e]) or parameters.get(nodes[e], ""), ops[e], data[e],
              trace.grad_at(nodes[e], moment) if nodes[e] >= 0 else math.nan, lines[e])
        for e in ordered
    ]  # fmt: skip


def _events(trace: Trace, text: str, output: Output | None) -> tuple[list[int], dict[int, str] | None]:
    program = trace.program
    if text.startswith("/") and text.endswith("/") and len(text) > 2:
        return _by_name(trace, text[1:-1])
    if text.startswith("name:"):
        return _by_name(trace, text[5:].strip())
    if not text:
        return [e for e in trace.born if e >= 0], None
    if not text.startswith("if "):
        try:
            place = parse(text, program)
            return find_place(resolve(place, program), trace, output)[0], None
        except BreakpointError:
            pass
    try:
        test = condition(text.removeprefix("if "), loop_names(program))
        if test.names:
            known = facts(trace)
            events = list(range(len(trace)))
            return test.select(events, {n: known[n] for n in test.names})[0], None
    except ConditionError:
        if any(sign in text for sign in ("==", "<", ">", " and ", " or ", " if ")):
            raise
    return _by_name(trace, text)


def _by_name(trace: Trace, pattern: str) -> tuple[list[int], dict[int, str]]:
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
    return sorted(e for e in events if e >= 0), names


def _order(trace: Trace, sort: str, events: list[int], names: dict[int, str], moment: int) -> Sequence[int]:
    by = sort.lstrip("-")
    if by == "event":
        return events if not sort.startswith("-") else events[::-1]
    known = facts(trace)
    nodes, data = known["node"], known["data"]

    def number(e: int) -> tuple[int, float]:
        value = trace.grad_at(nodes[e], moment) if by == "grad" and nodes[e] >= 0 else data[e]
        value = abs(value) if by == "size" else value
        return (1, 0.0) if math.isnan(value) else (0, value)

    if by == "name":
        return sorted(events, key=lambda e: names.get(nodes[e], ""), reverse=sort.startswith("-"))
    return sorted(events, key=number, reverse=sort.startswith("-"))


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
