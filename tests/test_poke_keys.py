"""One key switches off what a pane shows: a head, a position, a block, a value."""

from __future__ import annotations

from pathlib import Path

import pytest
from tui_fixtures import opened, small_launch

from microgpt_tui.tui.screens.page import PageScreen


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["6", "h"], "head 0 0 switched off"),
        (["7", *["left"] * 8], "position 0 switched off"),
        (["R"], "block MLP 0 switched off"),
        (["4"], "switched off (1 numbers 0)"),
    ],
    ids=["head", "position", "block", "value"],
)
async def test_delete_switches_off_what_is_shown(tmp_path: Path, keys: list[str], said: str) -> None:
    async with opened(small_launch(tmp_path)) as screen:
        await screen.command("goto 1:backward")
        await screen.press(*keys, "delete")
        (poke,) = screen.debugger.pokes[screen.debugger.trace.index]
        assert said in poke.text
        page = screen.app.screen
        assert isinstance(page, PageScreen)
        assert said in page.text
        assert "loss" in page.text
        await screen.press("escape")
        await screen.command("unpoke")
        assert not screen.debugger.pokes[screen.debugger.trace.index]
