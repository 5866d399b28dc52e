"""Breakpoints, search, evaluation and the root-cause card on the screen: keys pressed, what is seen then."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from control_fixtures import BUGS, NAMES
from textual.widgets import OptionList, Static
from tui_fixtures import Screen, opened, small_launch

from microgpt_tui.session.process import Launch
from microgpt_tui.tui.screens.breakpoints import BreakpointsScreen
from microgpt_tui.tui.screens.check import CheckScreen
from microgpt_tui.tui.screens.find import FindScreen, Rows
from microgpt_tui.tui.screens.rootcause import RootCauseScreen

SIZES = [(80, 24), (120, 40)]


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return small_launch(tmp_path)


def listed(screen: Screen) -> list[str]:
    """The rows of the list of breakpoints."""
    options = screen.app.screen.query_one("#breakpoints-list", OptionList)
    return [str(options.get_option_at_index(i).prompt) for i in range(options.option_count)]


def fault(screen: Screen) -> str:
    return str(screen.app.screen.query_one("#breakpoints-fault", Static).content)


@pytest.mark.parametrize("size", SIZES)
async def test_a_breakpoint_is_typed_hit_and_gone_back_to(launch: Launch, size: tuple[int, int]) -> None:
    async with opened(launch, size) as screen:
        await screen.command("break op:exp if data > 0.5")
        await screen.press("c")
        first = screen.event
        trace = screen.debugger.trace
        assert trace is not None
        assert trace.op_name(trace.node_of(first)) == "exp"
        await screen.press("c")
        assert screen.event > first
        await screen.press("C")
        assert screen.event == first


async def test_aliases_work_on_the_command_line_as_they_do_headless(launch: Launch, tmp_path: Path) -> None:
    async with opened(launch) as screen:
        await screen.command("b op:exp")
        await screen.command(f"save {tmp_path / 'kept'}")
        await screen.command("delete")
        assert len(screen.debugger.breakpoints) == 1
        await screen.command(f"restore {tmp_path / 'kept'}")
        await screen.press("escape")
        assert [b.text for b in screen.debugger.breakpoints][1:] == ["op:exp"]
        await screen.command("c 3")
        assert screen.debugger.breakpoints.counted(screen.debugger.breakpoints.get(2)) == 3
        await screen.command("where")
        assert screen.app.main.focused_pane.has_class("pane-where")


async def test_a_command_that_needs_an_argument_is_begun_on_the_line(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.command("goto")
        assert screen.app.main.query_one("#command").value == "goto "
        await screen.press(*"2:7", "enter")
        await screen.until(lambda: (screen.debugger.trace.number, screen.event) == (2, 6))  # to come: it is run to


async def test_b_sets_one_on_the_line_and_takes_it_away(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("b")
        assert [b.place.kind for b in screen.debugger.breakpoints] == ["nan", "line"]
        assert "●" in screen.text("source")
        await screen.press("b")
        assert [b.place.kind for b in screen.debugger.breakpoints] == ["nan"]


@pytest.mark.parametrize("size", SIZES)
async def test_the_list_adds_edits_switches_and_removes(launch: Launch, size: tuple[int, int]) -> None:
    async with opened(launch, size) as screen:
        await screen.press("B")
        assert isinstance(screen.app.screen, BreakpointsScreen)
        assert len(listed(screen)) == 1
        await screen.press("a", *"op:exq", "enter")
        assert "Did you mean exp" in fault(screen)
        await screen.press("backspace", "p", "enter")
        assert "op:exp" in listed(screen)[1]
        await screen.press("enter", *" if data > 5", "enter")
        assert "op:exp if data > 5" in listed(screen)[1]
        assert screen.debugger.breakpoints.get(1).place.condition == "data > 5"
        await screen.press("space")
        assert listed(screen)[1].startswith("○")
        await screen.press("t")
        assert "temporary" in listed(screen)[1]
        await screen.press("d")
        assert len(listed(screen)) == 1
        await screen.press("escape")
        assert not isinstance(screen.app.screen, BreakpointsScreen)


async def test_the_list_goes_to_where_one_stops(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("]")
        await screen.command("break op:log")
        await screen.press("B", "down", "g")
        trace = screen.debugger.trace
        assert trace is not None
        assert trace.op_name(trace.node_of(screen.event)) == "log"


@pytest.mark.parametrize("size", SIZES)
async def test_find_answers_while_one_types_and_enter_goes_there(launch: Launch, size: tuple[int, int]) -> None:
    async with opened(launch, size) as screen:
        await screen.press("]", "slash")
        assert isinstance(screen.app.screen, FindScreen)
        everything = len(screen.app.screen.query_one(Rows).rows)
        await screen.press(*"op:log")
        rows = screen.app.screen.query_one(Rows).rows
        assert 0 < len(rows) < everything
        assert all(r.op == "log" for r in rows)
        await screen.press("tab", "tab")
        ordered = [r.data for r in screen.app.screen.query_one(Rows).rows]
        assert ordered == sorted(ordered, reverse=True)
        await screen.press("enter")
        first = screen.event
        assert not isinstance(screen.app.screen, FindScreen)
        await screen.press("full_stop")
        after = screen.event
        await screen.press("comma")
        assert screen.event < after or after == first


async def test_a_wrong_command_says_why_and_does_nothing(launch: Launch) -> None:
    async with opened(launch) as screen:
        before = screen.event
        await screen.command("break op:exp if dta > 5")
        text = screen.bottom + "".join(str(w.content) for w in screen.app.screen.query(Static))
        assert "dta" in text or "unknown name" in text
        assert screen.event == before
        assert len(screen.debugger.breakpoints) == 1


async def test_the_root_cause_card_names_the_operand_and_goes_there() -> None:
    launch = Launch(BUGS / "log_of_zero.py", data=NAMES)
    async with opened(launch) as screen:
        await screen.press("c")
        assert screen.debugger.over
        end = screen.event
        await screen.command("rootcause")
        assert isinstance(screen.app.screen, RootCauseScreen)
        card = screen.app.screen.card().plain
        assert "log(0)" in card
        assert "exps[4]" in card
        await screen.press("up", "down", "enter")
        assert not isinstance(screen.app.screen, RootCauseScreen)
        assert screen.event < end


async def test_the_check_runs_beside_the_session_and_leads_to_its_finding() -> None:
    launch = Launch(BUGS / "zeroed_before_the_update.py", data=NAMES)
    async with opened(launch) as screen:
        await screen.press("greater_than_sign")
        before = len(screen.debugger.history.summaries)
        await screen.press("k")
        card = screen.app.screen
        assert isinstance(card, CheckScreen)
        while card.report is None:
            await asyncio.sleep(0.05)
        assert [f.line for f in card.report.findings] == [173]
        assert "zeroed too early" in card.card(card.report).plain
        assert len(screen.debugger.history.summaries) == before
        await screen.press("enter")
        assert not isinstance(screen.app.screen, CheckScreen)


async def test_a_check_can_be_cancelled() -> None:
    async with opened(Launch(BUGS / "norm_detached.py", data=NAMES)) as screen:
        await screen.press("k")
        card = screen.app.screen
        assert isinstance(card, CheckScreen)
        await screen.press("escape")
        assert card.check.cancelled
        assert not isinstance(screen.app.screen, CheckScreen)
        await screen.press("s")


async def test_set_and_print_from_the_command_line(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.command("set wte[0][0] = 0.5")
        assert "altered" in screen.bottom
        await screen.command("print state_dict['wte'][0][0]")
        assert "0.5" in screen.bottom
        await screen.command("undo")
        assert "is gone: here is where it left" in screen.bottom
        assert screen.debugger.alterations == []
