"""The panes: focus, what they show of a moment, where they lead."""

from __future__ import annotations

from pathlib import Path

import pytest
from tui_fixtures import opened, small_launch

from microgpt_tui.protocol.codes import ACCUMULATE, UPDATE
from microgpt_tui.session.process import Launch
from microgpt_tui.tui.panels import LEFT, RIGHT
from microgpt_tui.tui.panes.output import OutputPane
from microgpt_tui.tui.panes.source import SourcePane
from microgpt_tui.tui.panes.variables import VariablesPane
from microgpt_tui.tui.timeline import Timeline


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return small_launch(tmp_path)


async def test_numbers_focus_the_panes(launch: Launch) -> None:
    async with opened(launch) as screen:
        for name, key, *_ in (*LEFT, *RIGHT):
            await screen.press(key)
            assert screen.app.screen_stack[0].focused.has_class(f"pane-{name}"), name
            assert screen.app.screen_stack[0].focused.view is not None, name


async def test_tab_goes_round_the_panes(launch: Launch) -> None:
    async with opened(launch) as screen:
        seen = []
        for _ in range(4):
            await screen.press("tab")
            seen.append(next(c for c in screen.app.screen_stack[0].focused.classes if c.startswith("pane-")))
        assert seen == ["pane-source", "pane-where", "pane-variables", "pane-value"]
        await screen.press("shift+tab")
        assert screen.app.screen_stack[0].focused.has_class("pane-variables")


async def test_the_source_marks_the_sub_expression_and_counts_what_lines_have_made(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_square_bracket", "S")
        trace = screen.debugger.trace
        pane = screen.app.query_one(SourcePane)
        made = sum(pane._counts.values())
        assert made == len(trace.born)
        site = trace.site_of(trace.node_of(screen.event))
        current = next(line for line in screen.text("source").splitlines() if "▶" in line)
        assert f"{site.line}" in current


async def test_in_a_backward_pass_the_source_shows_the_write_and_the_forward_place(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_square_bracket", "s", "s", "s")
        trace = screen.debugger.trace
        assert trace.kind[screen.event] == ACCUMULATE
        pane = screen.app.query_one(SourcePane)
        assert ".grad +=" in trace.program.line_text(0, pane.sites.here.line)
        assert pane.sites.reached == trace.site_of(trace.node_of(screen.event))
        assert "◀" in screen.text("source")
        assert "of " in screen.text("where")


async def test_the_ledger_lists_every_contribution_and_marks_the_current_one(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_square_bracket", "right_square_bracket")
        trace = screen.debugger.trace
        node = max(range(trace.first_node, trace.end_node), key=lambda n: len(trace.writes_of(n)))
        rows = list(trace.writes_of(node))
        await screen.command(f"goto :{trace.write_event[rows[1]] + 1}")
        shown = screen.text("value")
        ledger = shown[shown.index("gradient ledger") :].splitlines()
        second = next(i for i, line in enumerate(ledger) if line.startswith("▶   2"))
        assert "not yet" not in ledger[second + 1]
        assert "not yet" in ledger[second + 3]
        assert f"2 of {len(rows)} contributions" in shown
        await screen.command(f"goto :{trace.write_event[rows[-1]] + 1}")
        assert "not yet" not in screen.text("value")
        await screen.press("4", "v")
        total = trace.grad_at(node, len(trace) - 1)
        assert repr(total) in screen.page("value")


async def test_an_update_shows_the_optimizers_numbers(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_square_bracket", "right_square_bracket")
        for _ in range(3):
            if screen.debugger.trace.kind[screen.event] == UPDATE:
                break
            await screen.press("s")
        shown = screen.text("value")
        for name in ("p.data -=", "lr_t", "grad_hat", "sq_hat", "→"):
            assert name in shown


async def test_a_sample_shows_its_draw(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.command("goto sample 1")
        trace = screen.debugger.trace
        await screen.press("greater_than_sign")
        trace = screen.debugger.history.traces[trace.index]
        await screen.command(f"goto sample 1:{trace.sample_event[0] + 1}")
        shown = screen.text("value")
        assert "a draw" in shown
        assert "chosen" in shown
        assert "falls into" in shown
        assert "▶" in shown


async def test_variables_open_and_lead_to_their_nodes(launch: Launch) -> None:
    async with opened(launch) as screen:
        pane = screen.app.query_one(VariablesPane)
        await screen.press("3")
        for _ in range(30):
            await screen.press("down")
            if pane.target() is not None and pane.target().key == "tok_emb":
                break
        await screen.press("enter")
        assert "[0]" in screen.text("variables")
        await screen.press("down", "down")
        assert screen.app.view().node == pane.target().node
        assert "wte[" in screen.text("value")


async def test_where_leads_to_the_start_of_a_scope(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_parenthesis", "n", "n", "2", "up", "up")
        target = screen.app.screen_stack[0].focused.target()
        await screen.press("enter")
        assert screen.event == target.event


async def test_output_shows_what_was_printed_up_to_the_moment(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("0")
        assert "num docs: 6" in screen.text("output")
        assert "num params" in screen.text("output")
        await screen.command("goto setup:1")
        assert "num docs: 6" in screen.text("output")
        assert "num params" not in screen.text("output")
        pane = screen.app.query_one(OutputPane)
        await screen.command("goto setup:2")
        await screen.press("up")
        pane.selected = 0
        await screen.press("enter")
        assert screen.event == 0


async def test_a_click_in_the_timeline_goes_there(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_square_bracket", "right_square_bracket")
        line = screen.app.query_one(Timeline)
        assert "backward" in "".join(s.text for s in line.render_line(0))
        await screen.pilot.click(Timeline, offset=(3, 0))
        await screen.settle()
        assert screen.event < len(screen.debugger.trace) / 20
        trace = screen.debugger.trace
        assert line.event_at(trace, line.column_of(trace, 5000)) == pytest.approx(5000, abs=len(trace) / 50)


async def test_a_click_on_a_tab_shows_its_pane(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.app.action_tab("output", 0)
        await screen.settle()
        assert screen.app.main.panel(0).active == "output"
