"""The attention, tokens, weights and training panes: what a person reads, presses and is taken to."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from microgpt_tui.recognise.attention import attention
from microgpt_tui.recognise.tokens import probability_values, tokens, what_if
from microgpt_tui.recognise.weights import parameters, places
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.trace.trace import Trace
from microgpt_tui.tui.messages import MomentChosen, NodeChosen, StepChosen
from microgpt_tui.tui.numbers import short
from microgpt_tui.tui.pane import Pane, View
from microgpt_tui.tui.panes import cells, charts
from microgpt_tui.tui.panes.attention import AttentionPane
from microgpt_tui.tui.panes.tokens import TokensPane
from microgpt_tui.tui.panes.training import TrainingPane
from microgpt_tui.tui.panes.weights import WeightsPane
from tests.views_fixtures import session, trace_of

SIZES = [(80, 24), (120, 40)]
PANES = [AttentionPane, TokensPane, WeightsPane, TrainingPane]
SCRIPTS = ["bundled", "gqa_three_layers", "mixture", "mlp_only", "whole_sequence"]


class Stage(App[None]):
    """A pane on a screen of its own; remembers what it was asked for."""

    def __init__(self, pane: Pane) -> None:
        super().__init__()
        self.pane = pane
        self.nodes: list[tuple[int, bool]] = []
        self.moments: list[tuple[int, int | None]] = []
        self.steps: list[int | None] = []

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_node_chosen(self, message: NodeChosen) -> None:
        self.nodes.append((message.node, message.follow))

    def on_moment_chosen(self, message: MomentChosen) -> None:
        self.moments.append((message.event, message.episode))

    def on_step_chosen(self, message: StepChosen) -> None:
        self.steps.append(message.step)


def view_at(debugger: Debugger, trace: Trace, event: int) -> View:
    return View(debugger, trace, event, trace.node_of(event), (trace.index, event, -1, trace.version))


def text_of(pane: Pane) -> list[str]:
    """All lines of a pane, seen or scrolled away."""
    view = pane.view
    assert view is not None
    width = pane.content_width
    lines = [pane.line_at(view, width, i) for i in range(pane.line_count(view, width))]
    return ["".join(segment.text for segment in line) for line in lines]


@asynccontextmanager
async def staged(
    pane: Pane, name: str, share: float, size: tuple[int, int] = (80, 24), sample: bool = False
) -> AsyncIterator[tuple[Stage, Pilot[None]]]:
    app = Stage(pane)
    trace = trace_of(name, sample)
    async with app.run_test(size=size) as pilot:
        pane.styles.height = "1fr"
        await pilot.pause()
        pane.focus()
        pane.show(view_at(session(name, sample), trace, int(share * (len(trace) - 1))))
        await pilot.pause()
        yield app, pilot


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("kind", PANES)
async def test_no_line_is_cut_off_at_any_phase(kind: type[Pane], name: str, size: tuple[int, int]) -> None:
    pane = kind()
    async with staged(pane, name, 0.0, size):
        trace = trace_of(name)
        for share in (0.0, 0.11, 0.3, 0.6, 0.99, 1.0):
            pane.show(view_at(session(name), trace, int(share * (len(trace) - 1))))
            lines = text_of(pane)
            assert lines
            assert max(map(len, lines)) <= pane.content_width
            assert pane.explain(pane.view).startswith("# ")


async def test_attention_shows_every_head_with_the_text_on_its_axes() -> None:
    pane = AttentionPane()
    async with staged(pane, "bundled", 0.99, (90, 30)):
        trace = trace_of("bundled")
        lines = text_of(pane)
        characters = [tokens(trace).vocabulary.short(p.token) for p in tokens(trace).positions]
        assert all(lines[1].count(f"h{i} " + " ".join(characters)) == 1 for i in range(4))
        assert [line[1] for line in lines[2 : 2 + len(characters)]] == characters


async def test_attention_grows_as_positions_are_processed() -> None:
    pane = AttentionPane()
    async with staged(pane, "bundled", 0.0, (90, 30)):
        trace = trace_of("bundled")
        row = attention(trace).rows[(0, 0, 0)][3]
        just_before = trace.born_at(row.weights[-1]) - 1
        pane.show(view_at(session("bundled"), trace, just_before))
        line = text_of(pane)[2 + 3]
        assert line.startswith("▶")
        assert "·" in line[3:11], "the last weight of the row is not made yet"
        pane.show(view_at(session("bundled"), trace, just_before + 1))
        assert "·" not in text_of(pane)[2 + 3][3:11]


async def test_an_opened_cell_shows_the_script_s_numbers_and_leads_to_each() -> None:
    pane = AttentionPane()
    async with staged(pane, "bundled", 0.99) as (app, pilot):
        await pilot.press("up", "left", "left")
        view = pane.view
        assert view is not None
        cell = pane.opened(view)
        assert cell is not None
        assert (cell.row.query, cell.column) == (6, 5)
        shown = " ".join(text_of(pane))
        for node in (*cell.query, *cell.key, cell.sum, cell.score, cell.weight, *cell.values, *cell.output):
            value = view.trace.data_at(node, view.event)
            assert f"{value:+.4f}" in shown
        await pilot.press("enter", "x", "x", "enter")
        assert app.nodes == [(cell.query[0], True), (cell.query[2], True)]


async def test_modes_heads_and_back_to_the_cursor() -> None:
    pane = AttentionPane()
    async with staged(pane, "gqa_three_layers", 0.9, (120, 40)) as (_, pilot):
        await pilot.press("m")
        assert "[logit]" in text_of(pane)[0]
        await pilot.press("m")
        assert "[gradient]" in text_of(pane)[0]
        pane.at_layer = pane.at_head = 0
        await pilot.press("h", "h", "h", "h")
        assert (pane.at_layer, pane.at_head) == (1, 0)
        await pilot.press("H")
        assert (pane.at_layer, pane.at_head) == (0, 3)
        await pilot.press("o")
        assert sum("h3" in line[:3] for line in text_of(pane)) >= 1
        await pilot.press("z")
        assert pane.cell is None


async def test_gradients_of_the_scores_are_the_trace_s_own() -> None:
    pane = AttentionPane()
    async with staged(pane, "bundled", 0.8) as (_, pilot):
        await pilot.press("m", "m", "o")
        view = pane.view
        assert view is not None
        row = attention(view.trace).rows[(0, 0, pane.at_head)][2]
        line = next(x for x in text_of(pane) if x[:3].strip("▶ ") and x[1] == "l")
        for node in attention(view.trace).rows[(0, 0, pane.at_head)][2].logits[:1]:
            value = view.trace.grad_at(node, view.event)
            assert (f"{value:+.4f}"[:5] in line) or abs(value) < 1e-3
        assert row.query == 2


@pytest.mark.parametrize("kind", [AttentionPane])
async def test_without_attention_the_pane_says_what_it_looked_for(kind: type[Pane]) -> None:
    pane = kind()
    async with staged(pane, "mlp_only", 0.9):
        shown = " ".join(text_of(pane))
        assert "Looked for" in shown
        assert "query and a key" in shown


async def test_the_distribution_its_target_and_loss_are_the_script_s() -> None:
    pane = TokensPane()
    async with staged(pane, "bundled", 0.5) as (app, pilot):
        trace = trace_of("bundled")
        await pilot.press(*["left"] * 10, "right")
        d = tokens(trace).distributions[1]
        values = probability_values(trace, d)
        shown = "\n".join(text_of(pane))
        assert f"p {values[d.target]:.4f}" in shown
        assert f"loss {trace.data_at(d.loss, len(trace)):.4f}" in shown
        order = sorted(range(len(values)), key=lambda i: -values[i])
        await pilot.press("down", "enter")
        assert app.nodes == [(d.probabilities[order[1]], True)]
        await pilot.press("o", "enter")
        assert app.nodes[-1] == (d.probabilities[1], True)


async def test_a_what_if_shows_other_settings_beside_and_runs_nothing() -> None:
    pane = TokensPane()
    async with staged(pane, "bundled", 0.99, sample=True) as (_, pilot):
        trace = trace_of("bundled", sample=True)
        events = len(trace)
        await pilot.press("u", "a", "a", "a")
        assert pane.temperature == 0.6, "one notch above the script's own 0.5"
        found, at = pane.shown(pane.view) if pane.view is not None else (None, -1)
        assert found is not None
        d = found.distributions[at]
        expected = what_if([trace.data_at(n, events) for n in d.logits], 0.6, 3)
        shown = "\n".join(text_of(pane))
        assert all(f" {v:.4f} " in shown for v in expected)
        assert len(trace) == events
        await pilot.press("z")
        assert not pane.is_what_if


async def test_the_draw_is_a_point_on_the_cumulative_bar_and_the_text_goes_on() -> None:
    pane = TokensPane()
    async with staged(pane, "bundled", 0.99, sample=True):
        trace = trace_of("bundled", sample=True)
        found = tokens(trace)
        d = found.distributions[pane.shown(pane.view)[1]] if pane.view is not None else None
        assert d is not None
        assert d.draw is not None
        lines = text_of(pane)
        at = next(i for i, line in enumerate(lines) if line.strip() == "▲")
        assert lines[at].index("▲") == int(d.draw.draw * (pane.content_width - 2))
        assert f"draw {d.draw.draw:.6f} → {found.vocabulary.name(d.draw.token)}" in "\n".join(lines)


async def test_weights_show_every_layer_of_the_chosen_cell() -> None:
    pane = WeightsPane()
    async with staged(pane, "bundled", 1.0) as (app, pilot):
        trace = trace_of("bundled")
        await pilot.press("x", "down", "down", "right")
        matrix = trace.program.matrices[1]
        assert matrix.name in text_of(pane)[0]
        index = 2 * matrix.shape[1] + 1
        own = parameters(trace)
        place = places(trace, matrix)[index]
        shown = " ".join(text_of(pane))
        last = len(trace) - 1
        for timeline in (own.data, own.grad, own.buffers["grad_avg"], own.buffers["sq_avg"]):
            assert short(timeline.at(last)[place]) in shown
        await pilot.press("enter")
        assert app.nodes == [(matrix.nodes[index], True)]


async def test_weights_can_be_looked_at_as_they_were_after_an_earlier_step() -> None:
    pane = WeightsPane()
    async with staged(pane, "closures_set", 0.5, sample=True) as (_, pilot):
        steps = session("closures_set", sample=True).history.steps
        await pilot.press(*["d"] * 4)
        view = pane.view
        assert view is not None
        assert f"after step {steps[-4].number}" in " ".join(text_of(pane)[:2])
        matrix = view.program.matrices[0]
        layer = pane.layer_of(view)
        data = steps[-4].data
        assert data is not None
        assert [layer.value(i) for i in range(5)] == [data[i] for i in places(view.trace, matrix)[:5]]
        await pilot.press("r", "D")
        layer = pane.layer_of(view)
        assert layer.name == "change"
        after = steps[-3].data
        assert after is not None
        assert layer.value(3) == after[places(view.trace, matrix)[3]] - data[places(view.trace, matrix)[3]]
        await pilot.press("z")
        assert pane.step is None


async def test_the_curve_s_cursor_moves_through_the_steps_and_tells_others() -> None:
    pane = TrainingPane()
    async with staged(pane, "closures_set", 0.5, sample=True) as (app, pilot):
        steps = session("closures_set", sample=True).history.steps
        await pilot.press("left", "left")
        assert app.steps == [len(steps) - 2, len(steps) - 3]
        assert f"▲ step {steps[-3].number}  loss {steps[-3].loss:.6f}" in "\n".join(text_of(pane))
        await pilot.press("z")
        assert app.steps[-1] is None


async def test_enter_on_the_curve_goes_to_a_step_that_is_recorded_whole() -> None:
    pane = TrainingPane()
    async with staged(pane, "bundled", 1.0) as (app, pilot):
        await pilot.press("enter")
        assert app.moments == [(0, trace_of("bundled").index)]


def test_cells_tell_the_sign_and_the_odd_without_colour() -> None:
    assert cells.signed(-0.2, 1.0)[0][0] == "-"
    assert cells.signed(0.2, 1.0)[0][0] == "+"
    assert cells.signed(float("nan"), 1.0)[0] == "!!"
    line = cells.signed_cells_of(array("d", (-1e-9, 0.0, 1e-9, float("inf"))), 1.0, 2)
    assert [s.text for s in line] == ["- ", "  ", "+ ", "!!"]


def test_a_chart_runs_from_the_first_value_to_the_last() -> None:
    rows = charts.curve([0.0, 1.0], 4, 2, 0.0, 1.0)
    assert rows[1][0] != " "
    assert rows[0][3] != " "
    assert [charts.place_at(charts.column_of(i, 5, 60), 5, 60) for i in range(5)] == [0, 1, 2, 3, 4]
