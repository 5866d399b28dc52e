"""Where a step leads: pure functions from (trace, event) to an event, or to a goal for the live script.

A *goal* is what the script runs until when the answer is not recorded yet (``protocol.goals``).
Forward answers are an event after the given one, a goal, or ``BEYOND`` (past the episode's end);
backward answers are an earlier event or ``BEFORE`` (before its beginning).
"""

from __future__ import annotations

from typing import Final

from microgpt_tui.protocol import goals
from microgpt_tui.protocol.codes import ACCUMULATE, CONSTANT_OP, CREATE, SiteKind
from microgpt_tui.protocol.goals import Goal
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.positions import position_loops, position_scope, positions
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


def line_of_statement(trace: Trace, event: int) -> tuple[int, int] | None:
    """(file, line) of the innermost statement around an event; None outside one."""
    for scope in reversed(trace.scope_path(trace.scope_of(event))):
        if trace.scope_kind(scope) == SiteKind.STATEMENT:
            site = trace.program.site(trace.scope_site[scope])
            return site.file, site.line
    return None


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


@derived
def loop_iterations(trace: Trace, name: str | None = None) -> list[int]:
    """The iterations of the loop over positions, or of the loops with a variable of this name, in order."""
    if name is None:
        return list(positions(trace).position)
    sites = _loops_called(trace, name)
    return [scope for scope, site in enumerate(trace.scope_site) if site in sites]


def _loops_called(trace: Trace, name: str) -> set[int]:
    sites = (s for s in trace.program.sites if s is not None and s.kind == SiteKind.ITERATION)
    return {s.number for s in sites if name in s.names}


def loop_iteration(trace: Trace, event: int, name: str | None = None) -> int:
    """The iteration around an event: of the loop over positions, or of the loop with this variable; -1 if none."""
    if name is None:
        return position_scope(trace, event)
    sites = _loops_called(trace, name)
    return next((s for s in reversed(trace.scope_path(trace.scope_of(event))) if trace.scope_site[s] in sites), -1)


def next_iteration(trace: Trace, event: int, name: str | None = None) -> int | Goal | Edge | None:
    """The first event after this iteration of the loop over positions (or of loop ``name``); None outside one."""
    scope = loop_iteration(trace, event, name)
    if scope < 0:
        firsts = (trace.scope_first[s] for s in loop_iterations(trace, name))
        later = next((first for first in firsts if first > event), None)
        if later is not None or trace.complete:
            return later
        sites = position_loops(trace.program) if name is None else _loops_called(trace, name)
        return goals.Iteration(frozenset(sites)) if sites else None
    last = trace.scope_last[scope]
    if last < 0:
        return BEYOND if trace.complete else goals.AfterScope(scope)
    return _forward(trace, last + 1, goals.AfterScope(scope))


def previous_iteration(trace: Trace, event: int, name: str | None = None) -> int | Edge | None:
    """The start of this iteration; at its start, of the iteration before; None where there is none before."""
    scope = loop_iteration(trace, event, name)
    site = trace.scope_site[scope] if scope >= 0 else -1
    for earlier in reversed(loop_iterations(trace, name)):
        if trace.scope_first[earlier] < event and site in (-1, trace.scope_site[earlier]):
            return trace.scope_first[earlier]
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
