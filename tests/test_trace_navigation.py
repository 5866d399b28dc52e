"""Moving through a recording: laws that hold from every event, and random walks that come back."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import Session

from microgpt_tui.protocol.codes import ACCUMULATE, CONSTANT_OP, CREATE, SiteKind
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.trace import navigation
from microgpt_tui.trace.navigation import BEFORE, BEYOND
from microgpt_tui.trace.trace import Trace

places = st.floats(0, 1, exclude_max=True)
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def event_at(trace: Trace, place: float) -> int:
    """An event by its relative place, so that one strategy serves traces of every length."""
    return int(place * len(trace))


def stops(trace: Trace, place: float) -> int:
    """An event where an operation, as the source writes it, is complete."""
    event = event_at(trace, place)
    while not navigation.ends_operation(trace, event):
        event += 1
    return event


@quick
@given(place=places)
def test_back_after_step_is_where_we_were(recorded: Session, place: float) -> None:
    trace = recorded.step
    event = stops(trace, place)
    after = navigation.step(trace, event)
    if isinstance(after, int):
        assert after > event
        assert navigation.back(trace, after) == event
    before = navigation.back(trace, event)
    if isinstance(before, int):
        assert before < event
        assert navigation.step(trace, before) == event


@quick
@given(place=places)
def test_single_events_are_one_apart(recorded: Session, place: float) -> None:
    trace = recorded.step
    event = event_at(trace, place)
    assert navigation.step_event(trace, event) == (event + 1 if event + 1 < len(trace) else BEYOND)
    assert navigation.back_event(trace, event) == (event - 1 if event else BEFORE)


@quick
@given(place=places)
def test_a_step_is_one_operation_as_the_source_writes_it(recorded: Session, place: float) -> None:
    """Constants wrapped on the way and the parts of ``a - b`` are inside it, nothing else is."""
    trace = recorded.step
    event = stops(trace, place)
    after = navigation.step(trace, event)
    if not isinstance(after, int):
        return
    for inside in range(event + 1, after):
        assert trace.kind[inside] == CREATE
        is_constant = trace.op_name(trace.node_of(inside)) == CONSTANT_OP
        assert is_constant or navigation.operation_scope(trace, inside) >= 0
    assert not any(navigation.ends_operation(trace, inside) for inside in range(event + 1, after))
    assert navigation.back(trace, after) == event


@quick
@given(place=places)
def test_statements_move_on_and_end(recorded: Session, place: float) -> None:
    trace = recorded.step
    event = event_at(trace, place)
    after = navigation.next_statement(trace, event)
    assert after is BEYOND or (isinstance(after, int) and after > event)
    before = navigation.previous_statement(trace, event)
    assert before is BEFORE or (isinstance(before, int) and before < event)
    if isinstance(after, int) and trace.kind[event] != ACCUMULATE:
        own = navigation.unit_of(trace, event)
        assert own < 0 or trace.scope_last[own] < after, "inside the statement would be stepping in"


@quick
@given(place=places)
def test_next_statement_in_a_backward_pass_is_the_next_node(recorded: Session, place: float) -> None:
    trace = recorded.step
    rows = len(trace.target)
    event = trace.write_event[int(place * rows)]
    if trace.kind[event] != ACCUMULATE:
        return
    after = navigation.next_statement(trace, event)
    if isinstance(after, int):
        assert trace.kind[after] != ACCUMULATE or trace.source[trace.row[after]] != trace.source[trace.row[event]]
        before = navigation.previous_statement(trace, after)
        assert isinstance(before, int)
        if trace.kind[after] == ACCUMULATE:
            assert trace.source[trace.row[before]] == trace.source[trace.row[event]]


@quick
@given(place=places)
def test_finish_and_start_are_the_ends_of_one_scope(recorded: Session, place: float) -> None:
    trace = recorded.step
    event = event_at(trace, place)
    end, start = navigation.finish(trace, event), navigation.start_of_scope(trace, event)
    if isinstance(end, int):
        assert end > event
        assert any(trace.scope_end(s) == end for s in trace.scope_path(trace.scope_of(event)))
    if isinstance(start, int):
        assert start < event
        assert start == 0 or any(trace.scope_first[s] == start for s in trace.scope_path(trace.scope_of(event)))


@quick
@given(place=places)
def test_phases_forwards_and_backwards(recorded: Session, place: float) -> None:
    trace = recorded.step
    event = event_at(trace, place)
    spans = trace.phase_spans
    first, last, phase = next(s for s in spans if s[0] <= event <= s[1])
    assert trace.phase_of(event) == phase
    after = navigation.next_phase(trace, event)
    assert after == (last + 1 if last + 1 < len(trace) else BEYOND)
    before = navigation.previous_phase(trace, event)
    if event > first:
        assert before == first
    if isinstance(after, int):
        assert navigation.previous_phase(trace, after) == first


@quick
@given(place=places)
def test_turns_of_the_loop_over_positions(recorded: Session, place: float) -> None:
    trace = recorded.step
    event = event_at(trace, place)
    iteration = navigation.loop_iteration(trace, event)
    after = navigation.next_iteration(trace, event)
    if iteration < 0:
        return
    assert trace.scope_kind(iteration) == SiteKind.ITERATION
    first = trace.scope_first[iteration]
    if event > first:
        assert navigation.previous_iteration(trace, event) == first
    if isinstance(after, int) and navigation.loop_iteration(trace, after) >= 0:
        assert after == trace.scope_last[iteration] + 1
        assert navigation.previous_iteration(trace, after) == first


@quick
@given(place=places)
def test_scopes_nest(recorded: Session, place: float) -> None:
    trace = recorded.step
    event = event_at(trace, place)
    path = trace.scope_path(trace.scope_of(event))
    assert path
    for outer, inner in pairwise(path):
        assert trace.scope_parent[inner] == outer
        assert trace.scope_first[outer] <= trace.scope_first[inner] <= event
        assert event <= trace.scope_end(inner) <= trace.scope_end(outer)
    assert trace.scope_kind(path[0]) == SiteKind.MODULE


def test_every_episode_is_covered_by_its_phases_and_spans(recorded: Session) -> None:
    trace = recorded.step
    spans = trace.phase_spans
    assert spans[0][0] == 0
    assert spans[-1][1] == len(trace) - 1
    assert all(a[1] + 1 == b[0] and a[2] != b[2] for a, b in pairwise(spans))
    assert trace.span_start[0] == 0
    assert all(a < b for a, b in pairwise(trace.span_start))


PAIRS = {
    "step": "back", "step_event": "back_event", "next_statement": "previous_statement",
    "next_iteration": "previous_iteration", "next_phase": "previous_phase",
}  # fmt: skip


@quick
@given(place=places, count=st.integers(1, 30), move=st.sampled_from(["step", "step_event"]))
def test_as_many_steps_back_as_forward_lead_home(recorded: Session, place: float, count: int, move: str) -> None:
    debugger = recorded.debugger
    trace = recorded.step
    start = Moment(trace.index, stops(trace, place))
    debugger.moment = start
    seen = [start]
    for _ in range(count):
        if debugger.moment.event == len(trace) - 1 or not getattr(debugger, move)():
            break
        seen.append(debugger.moment)
    for expected in reversed(seen[:-1]):
        assert getattr(debugger, PAIRS[move])()
        assert debugger.moment == expected


@quick
@given(place=places, walk=st.lists(st.sampled_from([*PAIRS, *PAIRS.values(), "finish", "start_of_scope"]), max_size=40))
def test_random_walks_stay_in_the_recording_and_change_nothing(
    recorded: Session, place: float, walk: list[str]
) -> None:
    debugger: Debugger = recorded.debugger
    trace = recorded.step
    event = event_at(trace, place)
    node = trace.first_node + int(place * len(trace.born))
    before = trace.grad_at(node, event), trace.data_text(node, event), trace.version
    debugger.moment = Moment(trace.index, event)
    for move in walk:
        if move not in PAIRS.values() and debugger.moment == Moment(trace.index, len(trace) - 1):
            break  # what follows is the live script's
        was = debugger.moment
        moved = getattr(debugger, move)()
        if debugger.running:
            debugger.wait()
            break
        now = debugger.moment
        assert moved == (now != was)
        forwards = move in PAIRS or move == "finish"
        if moved:
            assert ((now.episode, now.event) > (was.episode, was.event)) == forwards
        assert 0 <= now.event < len(debugger.history.traces[now.episode])
    after = trace.grad_at(node, event), trace.data_text(node, event), trace.version
    assert after == before, "a state depends on its moment alone"
