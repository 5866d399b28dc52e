"""Keys that step and go somewhere: what the person sees afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from tui_fixtures import opened, small_launch

from microgpt_tui.protocol.codes import BACKWARD, FORWARD, OPTIMIZER
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.navigation import ends_operation
from microgpt_tui.tui.panes.source import SourcePane
from microgpt_tui.tui.panes.value import ValuePane


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return small_launch(tmp_path)


async def test_s_really_executes_one_operation_and_capital_s_goes_back(launch: Launch) -> None:
    async with opened(launch) as screen:
        recorded = len(screen.debugger.history.newest)
        await screen.press("s", "s")
        assert len(screen.debugger.history.newest) == recorded + 2
        assert screen.event == recorded + 1
        await screen.press("S")
        assert screen.event == recorded
        assert "in the recording" in screen.status
        await screen.press("S")
        assert screen.event == recorded - 1
        await screen.press("s", "s")
        assert "paused" in screen.status


async def test_keys_pressed_faster_than_the_script_answers_are_not_lost(launch: Launch) -> None:
    async with opened(launch) as screen:
        for _ in range(8):
            await screen.pilot.press("s")
        await screen.settle()
        trace = screen.debugger.trace
        assert sum(ends_operation(trace, e) for e in range(1, screen.event + 1)) == 8


async def test_n_goes_to_the_next_statement_and_back(launch: Launch) -> None:
    async with opened(launch) as screen:
        source = screen.app.query_one(SourcePane)
        line = source.sites.statement.line
        await screen.press("n")
        assert source.sites.statement.line > line or source.sites.statement.line < line
        moved = source.sites.statement.line
        assert moved != line
        await screen.press("N")
        assert source.sites.statement.line == line


async def test_f_goes_to_the_end_of_the_scope_and_capital_f_to_its_start(launch: Launch) -> None:
    async with opened(launch) as screen:
        trace = screen.debugger.trace
        await screen.press("f")
        scope = trace.scope_path(trace.scope_of(0))[-2]
        assert screen.event > 0
        end = screen.event
        await screen.press("F")
        assert screen.event < end
        assert trace.scope_first[scope] <= screen.event


async def test_brackets_walk_the_phases(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_square_bracket")
        assert screen.debugger.trace.phase_of(screen.event) == BACKWARD
        assert "BACKWARD" in screen.status
        assert "loss" in screen.status
        await screen.press("right_square_bracket")
        assert screen.debugger.trace.phase_of(screen.event) == OPTIMIZER
        await screen.press("left_square_bracket")
        assert screen.debugger.trace.phase_of(screen.event) == BACKWARD
        await screen.press("left_square_bracket")
        assert screen.debugger.trace.phase_of(screen.event) == FORWARD
        assert screen.event == 0


async def test_parentheses_walk_the_positions(launch: Launch) -> None:
    async with opened(launch) as screen:
        assert "pos_id=0" in screen.status
        await screen.press("right_parenthesis")
        assert "pos_id=1" in screen.status
        await screen.press("right_parenthesis")
        assert "pos_id=2" in screen.status
        await screen.press("left_parenthesis", "left_parenthesis")
        assert "pos_id=0" in screen.status


async def test_angle_brackets_walk_the_training_steps_and_samples(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("greater_than_sign")
        assert "training step 2/3" in screen.status
        await screen.press("less_than_sign")
        assert "training step 1/3" in screen.status
        await screen.press("greater_than_sign", "greater_than_sign", "greater_than_sign")
        assert "sample 1" in screen.status
        assert "INFERENCE" in screen.status


async def test_counts_and_the_inside_of_an_operation(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.command("step 10")
        first = screen.event
        assert first >= 10
        await screen.command("back 10")
        assert screen.event == 0
        await screen.command("si 3")
        assert screen.event == 3


async def test_a_loop_by_its_variable(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_parenthesis", "left_parenthesis")
        await screen.command("loop h")
        assert "h=0" in screen.text("where")
        await screen.command("loop h")
        assert "h=1" in screen.text("where")
        await screen.command("loop h -1")
        assert "h=0" in screen.text("where")


async def test_g_asks_where_and_goes_there(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("greater_than_sign")
        await screen.press("g")
        assert screen.app.screen_stack[0].query_one("#prompt").display
        await screen.press("1", "colon", "1", "0", "0", "enter")
        assert (screen.debugger.trace.number, screen.event) == (1, 99)
        await screen.press("backspace")
        assert screen.debugger.trace.number == 2
        await screen.command("goto loss")
        trace = screen.debugger.trace
        assert trace.node_of(screen.event) == trace.loss_node(), "a loss still to come is run to"
        await screen.command("1:5")
        assert screen.event == 4


@pytest.mark.parametrize(
    ("keys", "event"),
    [
        ((":", *"goto 1:100", "enter"), 99),
        ((":", *"goto 1:100", "enter", "s", "s", "S", ":", *"goto 1:200", "enter"), 199),
        ((":", *"sss", "escape", ":", *"1:50", "enter"), 49),
        (("g", *"1:70", "enter", "S", "s"), 69),
    ],
    ids=["a command", "keys after it", "left without one", "an argument asked for"],
)
async def test_keys_typed_faster_than_the_screen_can_follow_are_not_lost(
    launch: Launch, keys: tuple[str, ...], event: int
) -> None:
    named = {":": "colon", " ": "space"}
    async with opened(launch) as screen:
        await screen.press("greater_than_sign")
        for key in keys:
            screen.app.post_message(events.Key(named.get(key, key), key if len(key) == 1 else None))
        for _ in range(3):
            await screen.settle()
        assert (screen.debugger.trace.number, screen.event) == (1, event)
        assert not screen.app.main.query_one("#prompt").display


async def test_what_cannot_be_done_is_said_in_one_line(launch: Launch) -> None:
    async with opened(launch) as screen:
        for command, said in (
            ("goto nowhere", "no moment. Write 3"), ("goto :999999999", "events 1 to"),
            ("frobnicate", "no command"),
            ("step x", "no count"), ("loop zz", "no loop"), ("quit now", "takes no argument"),
        ):  # fmt: skip
            await screen.command(command)
            assert said in screen.bottom, command
        assert screen.app.is_running


async def test_the_command_line_completes_remembers_and_can_be_left(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.command("step 2")
        at = screen.event
        await screen.pilot.press("colon")
        await screen.pilot.pause()
        await screen.pilot.press("up", "enter")
        await screen.settle()
        assert screen.event >= at + 2
        await screen.pilot.press("colon", "f", "i", "n", "i", "tab")
        await screen.pilot.pause()
        assert screen.app.query_one("#command").value == "finish "
        before = screen.event
        await screen.press("escape")
        assert not screen.app.screen_stack[0].query_one("#prompt").display
        assert screen.event == before
        await screen.press("s")
        assert screen.event > before


async def test_enter_follows_a_value_to_where_it_was_made_and_backspace_returns(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_parenthesis", "4", "down")
        pane = screen.app.query_one(ValuePane)
        target = pane.target()
        assert target is not None
        assert target.node >= 0
        here = screen.debugger.moment
        await screen.press("enter")
        assert screen.debugger.moment != here
        assert screen.debugger.trace.node_of(screen.event) == target.node
        await screen.press("backspace")
        assert screen.debugger.moment == here
