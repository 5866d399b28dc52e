"""When a goal is reached, and what the script obeys: without a process."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgpt_tui.debuggee.run.channel import Channel, Ended
from microgpt_tui.debuggee.run.reached import at_beginning, checker, within_episode
from microgpt_tui.protocol import frames, goals
from microgpt_tui.protocol.codes import ACCUMULATE, CREATE, SiteKind
from microgpt_tui.protocol.messages import Evaluate, Failed, Halted, Quit
from microgpt_tui.protocol.stops import GoalMet, Paused, StepsOver


class Columns:
    """The parts of an encoder that a goal looks at, to be filled event by event."""

    def __init__(self) -> None:
        self.c: dict[str, list[int]] = {"kind": [], "scope_last": []}
        self.scopes = SimpleNamespace(operation_depth=0, stack=[])
        self.nodes = SimpleNamespace(last_is_constant=False)
        self.writes = SimpleNamespace(newest_source=lambda: self.sources[-1])
        self.sources: list[int] = []

    def event(self, kind: int = CREATE, *, constant: bool = False, source: int = -1) -> None:
        self.c["kind"].append(kind)
        self.sources.append(source)
        self.nodes.last_is_constant = constant


@pytest.fixture
def columns() -> Any:
    return Columns()


def test_so_many_events(columns: Any) -> None:
    reached = checker(goals.Events(2), columns, 0)
    columns.event()
    assert not reached()
    columns.event()
    assert reached()


def test_an_operation_is_complete_behind_its_constants_and_its_own_operations(columns: Any) -> None:
    columns.event()
    reached = checker(goals.Operation(), columns, 1)
    assert not reached(), "nothing has happened since"
    columns.event(constant=True)
    assert not reached(), "the constant is for what comes"
    columns.scopes.operation_depth = 1
    columns.event()
    assert not reached(), "inside __sub__"
    columns.scopes.operation_depth = 0
    columns.event()
    assert reached()


def test_a_scope_ends_at_its_last_event_and_is_left_at_the_next(columns: Any) -> None:
    columns.c["scope_last"] += [-1, -1]
    end, after = checker(goals.ScopeEnd(1), columns, 0), checker(goals.AfterScope(1), columns, 0)
    columns.event()
    columns.event()
    assert not end()
    columns.c["scope_last"][1] = 1
    assert end()
    assert not after(), "its last event is still the newest"
    columns.event()
    assert after()


def test_the_first_iteration_of_a_loop_is_one_that_has_a_number(columns: Any) -> None:
    reached = checker(goals.Iteration(frozenset({7})), columns, 0)
    columns.scopes.stack.append(SimpleNamespace(kind=SiteKind.ITERATION, site=3, number=0))
    assert not reached()
    columns.scopes.stack.append(SimpleNamespace(kind=SiteKind.ITERATION, site=7, number=-1))
    assert not reached(), "nothing has happened in it"
    columns.scopes.stack[-1].number = 4
    assert reached()


def test_another_source_is_another_node_or_no_contribution(columns: Any) -> None:
    reached = checker(goals.OtherSource(5), columns, 0)
    columns.event(ACCUMULATE, source=5)
    assert not reached()
    columns.event(ACCUMULATE, source=6)
    assert reached()
    columns.event(CREATE, source=5)
    assert reached()


@pytest.mark.parametrize("goal", [goals.End(), goals.Episode(), goals.Steps(1), goals.Phase()])
def test_a_free_run_looks_at_no_event(goal: goals.Goal, columns: Any) -> None:
    assert not within_episode(goal)
    with pytest.raises(ValueError, match="no goal within an episode"):
        checker(goal, columns, 0)


# -- at the beginning of an episode --------------------------------------------------------------

KINDS = st.sampled_from(["step", "sample", "other"])
NUMBERS = st.integers(0, 5)
GOALS = st.one_of(
    st.builds(goals.End), st.builds(goals.Steps, NUMBERS), st.builds(goals.Operation), st.builds(goals.Phase),
    st.builds(goals.Episode, st.sampled_from(["", "step", "sample"]), st.none() | NUMBERS),
)  # fmt: skip


@given(GOALS, KINDS, NUMBERS, NUMBERS)
def test_a_free_run_is_never_stopped_and_a_pause_always_is(
    goal: goals.Goal, kind: str, number: int, steps_over: int
) -> None:
    assert at_beginning(goals.End(), kind, number, steps_over, pause=False) is None
    paused = at_beginning(goal, kind, number, steps_over, pause=True)
    assert paused == (GoalMet() if isinstance(goal, goals.Steps) else Paused())


@given(GOALS, KINDS, NUMBERS, NUMBERS, st.booleans())
def test_no_goal_passes_the_last_step_that_was_asked_for(
    goal: goals.Goal, kind: str, number: int, steps_over: int, pause: bool
) -> None:
    limited = type(goal)(**{**{n: getattr(goal, n) for n in ("count", "kind", "number") if hasattr(goal, n)},
                            "most_steps": 3})  # fmt: skip
    found = at_beginning(limited, kind, number, steps_over, pause=pause)
    assert isinstance(found, StepsOver) == (steps_over >= 3)


@pytest.mark.parametrize(
    ("goal", "kind", "number", "stops"),
    [
        (goals.Episode(), "step", 1, True),
        (goals.Episode(), "other", 0, False),
        (goals.Episode("step", 3), "step", 2, False),
        (goals.Episode("step", 3), "step", 3, True),
        (goals.Episode("step", 3), "sample", 3, False),
        (goals.Operation(), "sample", 1, True),
        (goals.Operation(), "other", 0, False),
    ],
)
def test_an_episode_is_stopped_in_at_its_first_operation(goal: goals.Goal, kind: str, number: int, stops: bool) -> None:
    found = at_beginning(goal, kind, number, 0, pause=False)
    assert found == (goals.Operation() if stops else None)


@pytest.mark.parametrize(("over", "found"), [(1, None), (2, GoalMet()), (3, GoalMet())])
def test_steps_are_over_when_so_many_have_ended(over: int, found: GoalMet | None) -> None:
    assert at_beginning(goals.Steps(2), "step", over + 1, over, pause=False) == found


# -- the channel -----------------------------------------------------------------------------------


@pytest.fixture
def ends() -> Any:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, Channel(theirs)


def test_what_is_no_command_is_answered_and_the_next_one_obeyed(ends: Any) -> None:
    ours, channel = ends
    ours.sendall(frames.pack(Halted(1)).replace(b"Halted", b"Heated") + frames.pack(Evaluate("1")))
    assert channel.receive() == Evaluate("1")
    answer, _ = frames.unpack(frames.reader(ours))
    assert isinstance(answer, Failed)
    assert "Heated" in answer.error


def test_a_script_ends_when_it_is_told_and_when_nobody_is_there(ends: Any) -> None:
    ours, channel = ends
    ours.sendall(frames.pack(Quit()))
    with pytest.raises(Ended):
        channel.receive()
    ours.close()
    with pytest.raises(Ended):
        channel.receive()
    with pytest.raises(Ended):
        channel.send(Halted(1))
