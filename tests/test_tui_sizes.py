"""Sizes of the terminal."""

from __future__ import annotations

import re
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
        assert second.size.width > 46
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
        await screen.pilot.resize_terminal(120, 30)
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


async def test_the_source_gets_what_the_width_allows_and_the_edge_can_be_moved(launch: Launch, tmp_path: Path) -> None:
    async with opened(launch, (200, 55)) as screen:
        source = screen.app.main.left_pane("source")
        assert source.content_width >= 90
        await screen.press("left_curly_bracket")
        assert source.content_width == 93 - 4
        await screen.command("wider")
        assert source.content_width == 93
        height = source.size.height
        await screen.command("taller")
        assert source.size.height > height


async def test_edges_and_theme_are_remembered(launch: Launch, tmp_path: Path) -> None:
    kept = tmp_path / "state" / "screen.json"
    async with opened(launch, (120, 40), remember=kept) as screen:
        await screen.press("right_curly_bracket")
        await screen.command("theme light")
        width = screen.app.main.left_pane("source").size.width
    async with opened(launch, (120, 40), remember=kept) as screen:
        assert screen.app.theme == "light"
        assert screen.app.main.left_pane("source").size.width == width
    kept.write_text("{not json")
    async with opened(launch, (120, 40), remember=kept) as screen:
        assert screen.app.theme == "dark"


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 55)])
async def test_any_pane_can_have_the_screen_for_itself_and_gives_it_back(launch: Launch, size: tuple[int, int]) -> None:
    async with opened(launch, size) as screen:
        main = screen.app.main
        for key, name in (("1", "source"), ("3", "variables"), ("4", "value"), ("7", "tokens")):
            await screen.press(key, "Z")
            assert [p.has_class(f"pane-{name}") for p in main.visible_panes()] == [True]
            assert main.visible_panes()[0].size.width >= size[0] - 4
            assert main.visible_panes()[0].size.height >= size[1] - 8
            await screen.press("s", "Z")
            assert main.zoomed is None
        await screen.press("1", "Z", "4")
        assert main.visible_panes()[0].has_class("pane-value")  # another pane asked for: that one, alone
        assert main.visible_panes()[0].size.width >= size[0] - 4


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 40)])
async def test_the_line_being_executed_is_shown_whole(launch: Launch, size: tuple[int, int]) -> None:
    async with opened(launch, size) as screen:
        await screen.press("1")
        for _ in range(4):
            await screen.press("n")
            pane = screen.app.main.left_pane("source")
            site = pane.sites.here
            shown = "".join(c for line in screen.text("source").splitlines() for c in line[pane._gutter() :])
            code = pane.view.program.line_text(site.file, site.line)[site.column : site.end_column]
            assert code.replace(" ", "") in shown.replace(" ", "").replace("↪", "")


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 40), (160, 45), (200, 55)])
async def test_the_tabs_fit_into_the_border(launch: Launch, size: tuple[int, int]) -> None:
    async with opened(launch, size) as screen:
        for key in ("4", "6", "R", "9"):
            await screen.press(key)
            for panel in screen.app.query(RightPanel):
                if panel.display:
                    title = str(panel.border_title)
                    assert len(re.sub(r"\[[^\]]*\]", "", title)) <= panel.outer_size.width - 6, title
                    assert all(k in title for k in "456789R0")
