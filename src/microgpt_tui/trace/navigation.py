"""Where a step leads: pure functions from (trace, event) to an event, or to a goal for the live script.

A *goal* is what the script runs until when the answer is not recorded yet (``protocol.goals``).
Forward answers are an event after the given one, a goal, or ``BEYOND`` (past the episode's end);
backward answers are an earlier event or ``BEFORE`` (before its beginning).
"""

from __future__ import annotations

from typing import Final

from microgpt_tui.protocol import goals
from microgpt_tui.protocol.codes import ACCUMULATE, CONSTANT_OP, CREATE, SAMPLE, SiteKind
from microgpt_tui.protocol.goals import Goal
from microgpt_tui.trace.trace import Trace


class Edge:
    """One of the two ends of an episode, as an answer."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


BEYOND: Final = Edge("BEYOND")
BEFORE: Final = Edge("BEFORE")

_BLOCKS = (SiteKind.CALL, SiteKind.ITERATION)
_UNITS = (SiteKind.STATEMENT, SiteKind.CALL, SiteKind.ITERATION, SiteKind.MODULE)


def _forward(trace: Trace, target: int, goal: Goal) -> int | Goal | Edge:
    if target < len(trace):
        return target
    return BEYOND if trace.complete else goal


# -- operations ------------------------------------------------------------------------------


def operation_scope(trace: Trace, event: int) -> int:
    """The outermost method written with other operations (``__sub__``) around an event, or -1."""
    found, scope = -1, trace.scope_of(event)
    while scope >= 0 and trace.scope_kind(scope) in (SiteKind.OPERATION,):
        found, scope = scope, trace.scope_parent[scope]
    return found


def ends_operation(trace: Trace, event: int) -> bool:
    """True when an operation, as the source writes it, is complete at this event."""
    if trace.kind[event] != CREATE:
        return True
    scope = operation_scope(trace, event)
    if scope >= 0:
        return trace.scope_last[scope] == event
    return trace.op_name(trace.node_of(event)) != CONSTANT_OP


def operation_span(trace: Trace, event: int) -> tuple[int, int]:
    """First and last event of the operation around an event."""
    last = event
    while last < len(trace) - 1 and not ends_operation(trace, last):
        last += 1
    first = event
    while first > 0 and not ends_operation(trace, first - 1) and trace.kind[first] == CREATE:
        first -= 1
    return first, last


def step(trace: Trace, event: int) -> int | Goal | Edge:
    """The end of the next operation as the source writes it."""
    target = event + 1
    while target < len(trace):
        if ends_operation(trace, target):
            return target
        target += 1
    return BEYOND if trace.complete else goals.Operation()


def back(trace: Trace, event: int) -> int | Edge:
    """The end of the operation before."""
    target = event - 1
    while target >= 0:
        if ends_operation(trace, target):
            return target
        target -= 1
    return BEFORE


def step_event(trace: Trace, event: int) -> int | Goal | Edge:
    """The very next event: inside an operation too."""
    return _forward(trace, event + 1, goals.Events(event + 2))


def back_event(trace: Trace, event: int) -> int | Edge:
    """The event before."""
    return event - 1 if event > 0 else BEFORE


# -- statements and scopes -------------------------------------------------------------------


def unit_of(trace: Trace, event: int) -> int:
    """The statement being executed (innermost), or the call where none is told."""
    scope = trace.scope_of(event)
    while scope >= 0 and trace.scope_kind(scope) not in _UNITS:
        scope = trace.scope_parent[scope]
    return scope


def _source_run(trace: Trace, event: int) -> tuple[int, int]:
    """First and last event of the accumulations that one node hands out."""
    source = trace.source[trace.row[event]]
    first = last = event
    while first > 0 and trace.kind[first - 1] == ACCUMULATE and trace.source[trace.row[first - 1]] == source:
        first -= 1
    while last + 1 < len(trace) and trace.kind[last + 1] == ACCUMULATE and trace.source[trace.row[last + 1]] == source:
        last += 1
    return first, last


def next_statement(trace: Trace, event: int) -> int | Goal | Edge:
    """The first event after the statement around this one; in a backward pass, of the next node's contributions."""
    if trace.kind[event] == ACCUMULATE:
        last = _source_run(trace, event)[1]
        source = trace.source[trace.row[event]]
        return _forward(trace, last + 1, goals.OtherSource(source))
    scope = unit_of(trace, event)
    if scope < 0 or trace.scope_last[scope] < 0:
        return BEYOND if trace.complete else goals.AfterScope(scope)
    return _forward(trace, trace.scope_last[scope] + 1, goals.AfterScope(scope))


def previous_statement(trace: Trace, event: int) -> int | Edge:
    """The start of this statement; at its start, the start of the one before, at this scope or outside it."""
    if trace.kind[event] == ACCUMULATE:
        first = _source_run(trace, event)[0]
        if first < event:
            return first
        if first > 0 and trace.kind[first - 1] == ACCUMULATE:
            return _source_run(trace, first - 1)[0]
    scope = unit_of(trace, event)
    first = trace.scope_first[scope] if scope >= 0 else 0
    if first < event:
        return first
    if event == 0:
        return BEFORE
    if trace.kind[event - 1] == ACCUMULATE:
        return _source_run(trace, event - 1)[0]
    best = unit_of(trace, event - 1)
    climb = best
    while climb >= 0:
        if trace.scope_end(climb) >= event:
            break
        if trace.scope_kind(climb) == SiteKind.STATEMENT:
            best = climb
        climb = trace.scope_parent[climb]
    return trace.scope_first[best] if best >= 0 else event - 1


def block_of(trace: Trace, event: int) -> int:
    """The innermost call or loop iteration around an event, or -1."""
    scope = trace.scope_of(event)
    while scope >= 0 and trace.scope_kind(scope) not in _BLOCKS:
        scope = trace.scope_parent[scope]
    return scope


def _outer_block(trace: Trace, scope: int) -> int:
    scope = trace.scope_parent[scope]
    while scope >= 0 and trace.scope_kind(scope) not in _BLOCKS:
        scope = trace.scope_parent[scope]
    return scope


def finish(trace: Trace, event: int) -> int | Goal | Edge:
    """The last event of this call or loop iteration; at its end, of the one around it."""
    scope = block_of(trace, event)
    while scope >= 0 and trace.scope_last[scope] == event:
        scope = _outer_block(trace, scope)
    if scope < 0:
        return BEYOND if trace.complete else goals.Episode()
    if trace.scope_last[scope] >= 0:
        return trace.scope_last[scope]
    if trace.complete:
        return len(trace) - 1 if event < len(trace) - 1 else BEYOND
    return goals.ScopeEnd(scope)


def start_of_scope(trace: Trace, event: int) -> int | Edge:
    """The first event of this call or loop iteration; at its start, of the one around it."""
    scope = block_of(trace, event)
    while scope >= 0 and trace.scope_first[scope] >= event:
        scope = _outer_block(trace, scope)
    if scope < 0:
        return 0 if event > 0 else BEFORE
    return trace.scope_first[scope]


# -- loops and phases ------------------------------------------------------------------------


def loop_iteration(trace: Trace, event: int, name: str | None = None) -> int:
    """The loop iteration around an event: of the loop over positions, or of the loop with this variable; -1 if none."""
    site = None if name else position_site(trace)
    scope = trace.scope_of(event)
    while scope >= 0:
        if trace.scope_kind(scope) == SiteKind.ITERATION:
            own = trace.scope_site[scope]
            if (name and name in trace.program.site(own).names) or (not name and own == site):
                return scope
        scope = trace.scope_parent[scope]
    return -1


def position_site(trace: Trace) -> int:
    """The loop over token positions: the innermost around a loss term or a draw; -1 if there is none."""
    cached = trace.__dict__.get("_position_site")
    if cached is not None and cached[0] == trace.version:
        return int(cached[1])
    found = _find_position_site(trace)
    trace.__dict__["_position_site"] = (trace.version, found)
    return found


def _find_position_site(trace: Trace) -> int:
    program = trace.program
    own = {program.train_site, program.sample_site}
    events: list[int] = []
    if SAMPLE in trace.kind:
        events = [trace.kind.index(SAMPLE)]
    elif "log" in trace.ops:
        log = trace.ops.index("log")
        if log in trace.op:
            events = [trace.born[trace.op.index(log)]]
    if not events and len(trace):
        events = [trace.kind.index(CREATE)] if CREATE in trace.kind else []
    for event in events:
        iterations = [
            trace.scope_site[s]
            for s in trace.scope_path(trace.scope_of(event))
            if trace.scope_kind(s) == SiteKind.ITERATION and trace.scope_site[s] not in own
        ]
        named = [t for t in iterations if any("pos" in n or n == "t" for n in program.site(t).names)]
        if named:
            return named[-1]
        if iterations:
            return iterations[-1] if trace.ops and events and trace.kind[event] != CREATE else iterations[0]
    return -1


def next_iteration(trace: Trace, event: int, name: str | None = None) -> int | Goal | Edge | None:
    """The first event after this iteration of the loop over positions (or of loop ``name``); None outside one."""
    scope = loop_iteration(trace, event, name)
    if scope < 0:
        later = _first_iteration_after(trace, event, name)
        if later is not None or trace.complete:
            return later
        sites = _iteration_sites(trace, name)
        return goals.Iteration(frozenset(sites)) if sites else None
    last = trace.scope_last[scope]
    if last < 0:
        return BEYOND if trace.complete else goals.AfterScope(scope)
    return _forward(trace, last + 1, goals.AfterScope(scope))


def previous_iteration(trace: Trace, event: int, name: str | None = None) -> int | Edge | None:
    """The start of this iteration; at its start, of the iteration before; None where there is none before."""
    scope = loop_iteration(trace, event, name)
    if scope >= 0 and trace.scope_first[scope] < event:
        return trace.scope_first[scope]
    earlier = event - 1
    site = trace.scope_site[scope] if scope >= 0 else None
    for candidate in range(len(trace.scope_first) - 1, -1, -1):
        if trace.scope_first[candidate] <= earlier and trace.scope_kind(candidate) == SiteKind.ITERATION:
            own = trace.scope_site[candidate]
            wanted = site if site is not None else None if name else position_site(trace)
            if own == wanted or (name and name in trace.program.site(own).names):
                return trace.scope_first[candidate]
    return None


def _iteration_sites(trace: Trace, name: str | None) -> list[int]:
    """The loops with a variable of this name, or the loop over positions where it is known already."""
    if name is None:
        return [site] if (site := position_site(trace)) >= 0 else []
    sites = (s for s in trace.program.sites if s is not None and s.kind == SiteKind.ITERATION)
    return [s.number for s in sites if name in s.names]


def _first_iteration_after(trace: Trace, event: int, name: str | None) -> int | None:
    site = None if name else position_site(trace)
    for scope, first in enumerate(trace.scope_first):
        if first > event and trace.scope_kind(scope) == SiteKind.ITERATION:
            own = trace.scope_site[scope]
            if own == site or (name and name in trace.program.site(own).names):
                return first
    return None


def next_phase(trace: Trace, event: int) -> int | Goal | Edge:
    """The first event of the next phase."""
    for first, _, _ in trace.phase_spans:
        if first > event:
            return first
    return BEYOND if trace.complete else goals.Phase()


def previous_phase(trace: Trace, event: int) -> int | Edge:
    """The first event of this phase; there, of the phase before."""
    for first, _, _ in reversed(trace.phase_spans):
        if first < event:
            return first
    return BEFORE
