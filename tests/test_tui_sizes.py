"""Sizes of the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from tui_fixtures import opened, small_launch

from microgpt_tui.session.process import Launch
from microgpt_tui.tui.panels import LeftPanel, RightPanel


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return small_launch(tmp_path)


async def test_on_80x24_tab_flips_between_the_sides(launch: Launch) -> None:
    async with opened(launch, (80, 24)) as screen:
        assert screen.app.main.panel(0).display
        assert screen.app.main.panel(0).size.width >= 76
        assert not screen.app.query_one("#left").display
        await screen.press("tab")
        assert screen.app.query_one("#left").display
        assert all(panel.pane.size.height >= 2 for panel in screen.app.query(LeftPanel))
        await screen.press("s")
        assert "▶" in screen.text("source")
        await screen.press("tab")
        assert not screen.app.query_one("#left").display
        await screen.press("3")
        assert screen.app.screen_stack[0].focused.has_class("pane-variables")
        assert screen.app.query_one("#left").display


async def test_wide_terminals_show_two_tabs_side_by_side(launch: Launch) -> None:
    async with opened(launch, (180, 50)) as screen:
        first, second = screen.app.query(RightPanel)
        assert second.display
        assert second.size.width > 50
        await screen.press("0")
        assert first.active == "output"
        await screen.press("5")
        assert screen.app.screen_stack[0].focused in second.panes.values()
        assert first.active == "output"


@pytest.mark.parametrize("size", [(59, 24), (80, 15)])
async def test_a_terminal_that_is_too_small_says_so(launch: Launch, size: tuple[int, int]) -> None:
    async with opened(launch, size) as screen:
        assert screen.app.query_one("#small").display
        assert not screen.app.query_one("#body").display
        await screen.pilot.resize_terminal(100, 30)
        await screen.settle()
        assert not screen.app.query_one("#small").display
        assert "▶" in screen.text("source")


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (100, 30), (120, 40), (180, 50)])
async def test_no_line_is_wider_than_its_pane(launch: Launch, size: tuple[int, int]) -> None:
    async with opened(launch, size) as screen:
        await screen.press("right_square_bracket", "s")
        for pane in screen.app.main.visible_panes():
            for y in range(pane.size.height):
                assert pane.render_line(y).cell_length == pane.size.width
