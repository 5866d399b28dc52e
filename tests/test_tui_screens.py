"""Screens over the panes: Find, palette, help, quitting."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from textual.widgets import Input, Static
from tui_fixtures import opened, small_launch

from microgpt_tui.session.process import Launch
from microgpt_tui.tui.screen_commands import ALL


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return small_launch(tmp_path)


async def test_enter_twice_in_find_goes_there_once(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.command("step 30")
        await screen.press("slash")
        screen.app.screen.query_one(Input).value = "op:mul"
        await screen.settle()
        for _ in range(2):
            screen.app.post_message(events.Key("enter", None))
        await screen.settle()
        assert len(screen.app.screen_stack) == 1
        assert screen.app.is_running


@pytest.mark.parametrize("keys", [["escape", "escape"], ["enter", "enter"], ["escape", "ctrl+p", "escape", "q"]])
async def test_the_palette_closes_however_fast_one_types(launch: Launch, keys: list[str]) -> None:
    async with opened(launch) as screen:
        await screen.press("ctrl+p")
        for key in keys:
            screen.app.post_message(events.Key(key, None))
        await screen.settle()
        await screen.pilot.pause(0.3)
        assert screen.app._exception is None


async def test_a_node_of_another_recording_is_refused_in_words(launch: Launch) -> None:
    async with opened(launch) as screen:
        screen.app.follow(10**9)
        assert "not recorded here" in screen.bottom


async def test_brackets_in_what_a_dialog_says_are_no_markup(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.command("export")
        dialog = screen.app.screen
        for field in ("#plan", "#said"):
            dialog.query_one(field, Static).update("state[0] → [Value(1)")
        await screen.press("escape", "slash")
        find = screen.app.screen
        find.query_one(Input).value = "/[/"
        await screen.settle()
        assert screen.app._exception is None


async def test_help_lists_every_command_and_explains_the_focused_pane(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("question_mark")
        text = screen.app.screen.text
        for command in ALL:
            assert f"`{command.usage}`" in text.replace("\\|", "|")
            assert command.help in text
        assert "gradient ledger" in text
        await screen.press("escape")
        assert len(screen.app.screen_stack) == 1
        await screen.press("1", "question_mark")
        assert "statement being executed" in screen.app.screen.text


async def test_the_palette_runs_a_command(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("ctrl+p")
        for key in "operation on":
            await screen.pilot.press("space" if key == " " else key)
        await screen.pilot.pause(0.3)
        await screen.pilot.press("enter")
        await screen.settle()
        assert screen.event == 1


async def test_q_ends_the_session(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.pilot.press("q")
        await screen.pilot.pause()
        assert screen.app.return_value == 0


async def test_keys_after_q_do_no_harm(launch: Launch) -> None:
    async with opened(launch) as screen:
        for key in ["q", *"sss", "question_mark", "colon", "x", "enter"]:
            screen.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await screen.pilot.pause(0.2)
    assert screen.app._exception is None
    assert screen.app.return_value == 0
