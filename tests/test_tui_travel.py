"""Travel from the screen: from the training curve, from a line of the output, by keys."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tui_fixtures import Screen, opened, small_launch

from microgpt_tui.session.process import Launch


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return small_launch(tmp_path, num_steps="6")


async def ended(screen: Screen) -> None:
    await screen.press("space")
    assert screen.debugger.over


async def test_enter_on_the_curve_goes_to_a_step_that_was_run_freely(launch: Launch) -> None:
    async with opened(launch) as screen:
        await ended(screen)
        await screen.command("goto 6")
        await screen.press("9")
        pane = screen._pane("training")
        pane.focus()
        await screen.press("left", "left", "left")
        assert "Enter runs it again" in screen.page("training")
        await screen.press("enter")
        assert "training step 3/6" in screen.status
        assert str(screen.debugger.name_of(screen.debugger.moment)) == "3:1"


async def test_enter_on_a_line_of_the_output_goes_to_the_step_that_printed_it(launch: Launch) -> None:
    async with opened(launch) as screen:
        await ended(screen)
        await screen.press("0")
        pane = screen._pane("output")
        pane.focus()
        lines = screen.page("output").splitlines()
        at = next(i for i, line in enumerate(lines) if "step    4" in line)
        pane.selected = at
        await screen.press("enter")
        assert str(screen.debugger.name_of(screen.debugger.moment)).startswith("4:")


async def test_keys_go_back_step_by_step_and_a_branch_is_drawn_with_its_run(launch: Launch) -> None:
    async with opened(launch) as screen:
        await ended(screen)
        await screen.command("goto 5")
        await screen.press("less_than_sign", "less_than_sign")
        assert str(screen.debugger.name_of(screen.debugger.moment)) == "3:1"
        await screen.command("exec learning_rate = 1.0")
        assert "branch b1" in screen.bottom
        assert re.search(r"learning\S*\s+1\b", screen.page("variables"))
        await screen.press("space")
        await screen.press("9")
        assert "also main" in screen.page("training")
        await screen.command("branch")
        assert "also b1" in screen.page("training")
        assert len(screen.debugger.history.steps) == 6


async def test_enter_on_the_line_of_a_sample_goes_to_it_and_every_pane_is_alive(launch: Launch) -> None:
    async with opened(launch) as screen:
        await ended(screen)
        await screen.press("0")
        pane = screen._pane("output")
        pane.focus()
        lines = screen.page("output").splitlines()
        pane.selected = next(i for i, line in enumerate(lines) if "sample  1" in line or "sample 1" in line)
        await screen.press("enter")
        assert str(screen.debugger.name_of(screen.debugger.moment)).startswith("sample 1:")
        assert "sample 1" in screen.status
        await screen.press("7")
        assert "drawn" in screen.page("tokens") or "draw" in screen.page("tokens")


async def test_what_was_let_go_is_in_the_status(launch: Launch) -> None:
    launch.history_memory = 1 << 20
    async with opened(launch, size=(200, 55)) as screen:
        await ended(screen)
        for step in (2, 4, 3, 5):
            await screen.command(f"goto {step}")
        assert screen.debugger.checkpoints is not None
        assert screen.debugger.checkpoints.dropped
        assert "let go" in screen.status
        assert "/1 MB" in screen.status
