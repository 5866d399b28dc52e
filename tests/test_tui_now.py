"""What the screen says about now: stops, what works, of which moment the panes tell; and what can be copied."""

from __future__ import annotations

from pathlib import Path

import pytest
from tui_fixtures import Screen, opened, small_launch

from microgpt_tui.session.process import Launch
from microgpt_tui.tui.panes.source import SourcePane
from microgpt_tui.tui.screens.page import Page

BUGS = Path(__file__).parents[1] / "sample_data" / "bugs"


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return small_launch(tmp_path)


def banner(screen: Screen) -> str:
    """The banner as text; "" while there is none."""
    shown = screen.app.main.banner
    return "\n".join(shown.lines) if shown.display else ""


async def test_an_exception_is_a_banner_with_the_key_that_explains_it_and_its_line_is_marked() -> None:
    async with opened(Launch(BUGS / "log_of_zero.py", private_folder=True)) as screen:
        assert banner(screen) == ""
        await screen.press("c")
        assert banner(screen).startswith("ValueError: math domain error in log, log_of_zero.py:56.")
        assert "K where it comes from" in banner(screen)
        source = screen.app.query_one(SourcePane)
        assert source._stops[56] == "✕"
        await screen.press("escape")
        assert banner(screen) == ""
        await screen.press("K")
        assert type(screen.app.screen).__name__ == "RootCauseScreen"


async def test_a_breakpoint_and_the_end_are_banners_that_go_with_the_next_move(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.command("break phase:backward")
        await screen.press("c")
        assert banner(screen).startswith("breakpoint 1 (")
        assert "c on to the next" in banner(screen)
        await screen.press("s")
        assert banner(screen) == ""
        await screen.command("delete 1")
        await screen.press("c")
        assert banner(screen).startswith("the script has ended with exit status 0.")
        assert "S steps back" in banner(screen)
        assert " s step" not in screen.bottom, "nothing is left to step to"
        assert "S back" in screen.bottom


async def test_the_footer_shows_what_works_now(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.command("goto setup:1")
        assert "s step" in screen.bottom
        assert "S back" not in screen.bottom, "this is the first event"
        await screen.press("s")
        assert "S back" in screen.bottom


async def test_while_the_script_runs_panes_say_of_which_moment_they_tell(launch: Launch) -> None:
    async with opened(launch) as screen:
        main = screen.app.main
        main.tell_moment("as of training step 1/3, event 5")
        assert str(main.panel(0).border_subtitle) == "as of training step 1/3, event 5"
        assert main.panel(0).pane.stale
        await screen.press("s")
        assert not main.panel(0).border_subtitle
        assert not main.panel(0).pane.stale


async def test_what_is_selected_can_be_copied(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("s")
        trace, event = screen.debugger.trace, screen.event
        node = trace.node_of(event)
        await screen.press("4", "y")
        assert screen.app.clipboard.endswith(f" = {trace.data_text(node, event)}")
        await screen.press("down", "y")
        assert screen.app.clipboard.startswith("← wte[")
        for what, expected in (("value", trace.data_text(node, event)), ("grad", "0.0")):
            await screen.command(f"copy {what}")
            assert screen.app.clipboard == expected
        await screen.command("copy sentence")
        assert screen.app.clipboard.startswith("+ adds wte[")
        await screen.press("1", "y")
        assert screen.app.clipboard == trace.program.line_text(0, screen.app.query_one(SourcePane).current_line).strip()
        await screen.command("copy everything")
        assert "copy what? row, value, grad, name, formula, sentence" in screen.bottom


async def test_steps_and_positions_are_counted_from_one_beside_the_scripts_own_counting(launch: Launch) -> None:
    async with opened(launch, (160, 40)) as screen:
        assert "training step 1/3 (step=0)" in screen.status
        await screen.press("right_parenthesis")
        assert "position 2 (pos_id=1)" in screen.status


async def test_help_says_what_happened_and_keeps_every_line_within_its_page(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("question_mark")
        page = screen.app.screen.query_one(Page)
        lines = ["".join(s.text for s in strip) for strip in page.lines(page.scrollable_content_region.width)]
        assert any("What happened. + adds wte[" in line for line in lines)
        assert all(len(line) <= page.size.width - 2 for line in lines)
