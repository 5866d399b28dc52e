"""The Graph pane, by its keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from microgpt_tui.graph.frames import backward_of
from microgpt_tui.graph.levels import Level
from microgpt_tui.graph.scene import Show
from microgpt_tui.graph.sums import Sums
from microgpt_tui.protocol.codes import ACCUMULATE
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.names import own_name
from microgpt_tui.trace.sums import sum_at
from microgpt_tui.trace.trace import Trace
from microgpt_tui.tui.messages import NodeChosen
from microgpt_tui.tui.pane import View
from microgpt_tui.tui.panes.graph import GraphPane
from tests.views_fixtures import trace_of

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def debugger() -> Iterator[Debugger]:
    launch = Launch(
        ROOT / "src/microgpt_tui/programs/microgpt.py", data=ROOT / "sample_data/names.txt", private_folder=True,
        overrides={"n_embd": "8", "n_head": "2"},
    )  # fmt: skip
    found = Debugger(launch)
    found.wait()
    found.next_episode()
    found.wait()
    yield found
    found.close()


@pytest.fixture(scope="module")
def step(debugger: Debugger) -> Trace:
    return next(t for t in debugger.history.traces.values() if t.episode_kind == "step")


class Host(App[None]):
    """Shows the pane and does what it asks for, as the debugger's screen does."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self.first = view
        self.chosen: list[int] = []

    def compose(self) -> ComposeResult:
        yield GraphPane()

    def on_mount(self) -> None:
        self.pane.show(self.first)
        self.pane.focus()

    @property
    def pane(self) -> GraphPane:
        return self.screen_stack[0].query_one(GraphPane)

    def at(self, event: int, node: int) -> None:
        self.pane.show(replace(self.first, event=event, node=node, version=(1, event, node, self.first.trace.version)))

    def on_node_chosen(self, message: NodeChosen) -> None:
        self.chosen.append(message.node)
        self.at(self.first.event, message.node)


def view_of(debugger: Debugger, trace: Trace, event: int, node: int) -> View:
    return View(debugger, trace, event, node, (1, event, node, trace.version))


def named(trace: Trace, text: str) -> int:
    return next(n for n in range(trace.end_node - 1, -1, -1) if own_name(trace, n) == text)


def picture(pane: GraphPane) -> str:
    return "\n".join(pane.render_line(y).text for y in range(pane.size.height))


async def ready(pilot: Pilot[None]) -> None:
    await pilot.pause()
    await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_inputs_are_left_users_right_and_the_edge_tells_its_numbers(
    debugger: Debugger, step: Trace, size: tuple[int, int]
) -> None:
    node = named(step, "attn_logits[1]")
    app = Host(view_of(debugger, step, len(step) - 1, node))
    async with app.run_test(size=size) as pilot:
        await ready(pilot)
        text = picture(app.pane)
        assert "attn_logits[1]" in text
        assert "local " in text
        assert "carries " in text
        drawn = app.pane.scene_of(app.first, app.pane.content_width)
        columns = {key: place.x for key, place in drawn.sheet.places.items()}
        assert all(columns[c] < columns[node] for c in step.children(node) if c in columns)
        assert all(columns[u] > columns[node] for u in step.users(node) if u in columns)
        assert drawn.fits(app.pane.request(app.first, app.pane.content_width))
        assert drawn.depth > 1 or size[0] < 100
        assert "more" not in text


async def test_arrows_walk_along_edges_enter_centres_backspace_returns(debugger: Debugger, step: Trace) -> None:
    node = named(step, "attn_logits[1]")
    app = Host(view_of(debugger, step, len(step) - 1, node))
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        await pilot.press("left")
        first = app.pane.cursor
        assert first in step.children(node)
        assert app.pane.edge == (first, node)
        await pilot.press("left")
        assert app.pane.cursor in Sums(step, len(step) - 1, node).inputs(first)
        await pilot.press("right", "enter")
        await ready(pilot)
        assert app.chosen == [first]
        assert app.pane.view is not None
        assert app.pane.view.node == first
        await pilot.press("backspace")
        await ready(pilot)
        assert app.chosen == [first, node]


async def test_up_and_down_stay_in_the_column(debugger: Debugger, step: Trace) -> None:
    node = named(step, "attn_logits[1]")
    app = Host(view_of(debugger, step, len(step) - 1, node))
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        await pilot.press("left")
        drawn = app.pane.scene_of(app.first, app.pane.content_width)
        before = drawn.sheet.places[app.pane.cursor]
        await pilot.press("down" if drawn.beside(app.pane.cursor, 1) != app.pane.cursor else "up")
        after = drawn.sheet.places[app.pane.cursor]
        assert after.rank == before.rank
        assert after.y != before.y


async def test_stepping_backward_marks_the_edge_that_carries_the_gradient(debugger: Debugger, step: Trace) -> None:
    first, last = backward_of(step, len(step) - 1)
    event = next(e for e in range((first + last) // 2, last) if step.kind[e] == ACCUMULATE)
    app = Host(view_of(debugger, step, event, step.node_of(event)))
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        for at in range(event, event + 12):
            app.at(at, step.node_of(at))
            drawn = app.pane.scene_of(app.pane.view, app.pane.content_width)
            source = Sums(step, at, step.node_of(at)).box_of(step.source[step.row[at]])
            assert [pair for pair, arrow in drawn.arrows.items() if arrow.carrying] == [(step.node_of(at), source)]
            assert "◂ now" in picture(app.pane)


async def test_folding_keeps_the_value_in_the_middle_and_counts_exactly(debugger: Debugger, step: Trace) -> None:
    node = named(step, "attn_logits[1]")
    app = Host(view_of(debugger, step, len(step) - 1, node))
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        seen = []
        for _ in Level:
            seen.append(app.pane.level)
            drawn = app.pane.scene_of(app.first, app.pane.content_width)
            assert drawn.focus in drawn.boxes
            assert f"fold: {app.pane.level.label}" in picture(app.pane)
            await pilot.press("j")
        assert seen == sorted(Level, reverse=True)
        assert app.pane.level == Level.OPERATIONS


async def test_depth_threshold_slices_and_paths(debugger: Debugger, step: Trace) -> None:
    node = named(step, "attn_logits[1]")
    app = Host(view_of(debugger, step, len(step) - 1, node))
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        few = len(app.pane.scene_of(app.first, 120).boxes)
        await pilot.press("plus")
        assert len(app.pane.scene_of(app.first, 120).boxes) > few
        await pilot.press("minus", "minus")
        assert app.pane.depth == 1
        await pilot.press("u", "u")
        assert app.pane.threshold == 0.05
        for show in (Show.PARAMETERS, Show.LOSS, Show.BETWEEN, Show.AROUND):
            await pilot.press("m")
            assert app.pane.show_what is show
            assert show.value in picture(app.pane)
        await pilot.press("G")
        assert "the largest products" in picture(app.pane)
        await pilot.press("G")
        assert "around" in picture(app.pane)


async def test_operations_are_round_values_are_boxes_and_a_sum_is_one_that_o_opens(
    debugger: Debugger, step: Trace
) -> None:
    node = named(step, "q[3]")
    app = Host(view_of(debugger, step, len(step) - 1, node))
    async with app.run_test(size=(200, 55)) as pilot:
        await ready(pilot)
        text = picture(app.pane)
        assert "(Σ 8) q[3]" in text
        assert "(×)" in text
        closed = app.pane.scene_of(app.first, app.pane.content_width)
        terms = Sums(step, len(step) - 1, node).terms(node)
        assert len(terms) == 8
        assert [step.op_name(t) for t, _ in terms] == ["mul"] * 8
        assert all(closed.arrows[t, node].local == 1.0 for t, _ in terms if (t, node) in closed.arrows)
        given = {t: step.grad_at(node, len(step) - 1) for t, _ in terms}
        assert all(closed.arrows[t, node].contribution == given[t] for t in given if (t, node) in closed.arrows)
        await pilot.press("o")
        text = picture(app.pane)
        assert "(+) q[3]" in text
        assert "Σ 8" not in text
        await pilot.press("o")
        assert "(Σ 8) q[3]" in picture(app.pane)


async def test_edges_of_the_pane_say_what_lies_beyond_and_no_label_is_cut_without_a_sign(
    debugger: Debugger, step: Trace
) -> None:
    node = named(step, "attn_logits[1]")
    app = Host(view_of(debugger, step, len(step) - 1, node))
    async with app.run_test(size=(52, 20)) as pilot:
        await ready(pilot)
        for _ in range(4):
            await pilot.press("plus")
        pane, text = app.pane, picture(app.pane)
        drawn = pane.scene_of(app.first, pane.content_width)
        assert drawn.depth == 5
        assert not drawn.fits(pane.request(app.first, pane.content_width))
        beyond = sum(map(int, re.findall(r"(?:[‹↑↓] |\b)(\d+) more", text)))
        inside = len(drawn.boxes) - beyond
        assert 0 < inside < len(drawn.boxes)
        for key in drawn.boxes:  # every box that the edges do not count is there whole
            place = drawn.sheet.places[key]
            assert place.width <= pane.content_width
        cut = [line for line in text.splitlines() if line.startswith("…") or line.rstrip().endswith("…")]
        assert cut


async def test_depth_fits_again_after_minus(debugger: Debugger, step: Trace) -> None:
    app = Host(view_of(debugger, step, len(step) - 1, named(step, "attn_logits[1]")))
    async with app.run_test(size=(100, 30)) as pilot:
        await ready(pilot)
        for _ in range(5):
            await pilot.press("plus")
        while app.pane.depth:
            await pilot.press("minus")
        drawn = app.pane.scene_of(app.first, app.pane.content_width)
        assert drawn.fits(app.pane.request(app.first, app.pane.content_width))


SMALL = """
class Value:
    def __init__(self, data, _children=(), _op=''):
        self.data = data
        self.grad = 0
        self._backward = lambda: None
        self._prev = set(_children)
        self._op = _op
    def __add__(self, other):
        out = Value(self.data + other.data, (self, other), '+')
        def _backward():
            self.grad += out.grad
            other.grad += out.grad
        out._backward = _backward
        return out
    def __mul__(self, other):
        out = Value(self.data * other.data, (self, other), '*')
        def _backward():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad
        out._backward = _backward
        return out
    def relu(self):
        out = Value(0 if self.data < 0 else self.data, (self,), 'ReLU')
        def _backward():
            self.grad += (out.data > 0) * out.grad
        out._backward = _backward
        return out
    def backward(self):
        topo, visited = [], set()
        def build_topo(v):
            if v not in visited:
                visited.add(v)
                for child in v._prev:
                    build_topo(child)
                topo.append(v)
        build_topo(self)
        self.grad = 1
        for v in reversed(topo):
            v._backward()

a = Value(2.0)
b = Value(3.0)
c = a * b + a
loss = c.relu()
loss.backward()
"""


@pytest.mark.parametrize("size", [(52, 20), (76, 16), (100, 40)])
async def test_a_small_script_without_a_loop_is_drawn_whole_with_nothing_selected(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    script = tmp_path / "tiny.py"
    script.write_text(SMALL)
    found = Debugger(Launch(script, private_folder=True))
    try:
        found.wait()
        found.next_episode()
        found.wait()
        trace = next(iter(found.history.traces.values()))
        app = Host(view_of(found, trace, len(trace) - 1, -1))
        async with app.run_test(size=size) as pilot:
            await ready(pilot)
            text = picture(app.pane)
            assert "loss (nothing is selected)" in text
            for part in ("│a", "│b", "(×)", "(+) c", "(relu)", "+8", "∇✓+4"):
                assert part in text
            assert "more" not in text
            assert len(app.pane.scene_of(app.first, app.pane.content_width).boxes) == 5
    finally:
        found.close()


@pytest.mark.parametrize("script", ["bundled", "gqa_three_layers", "whole_sequence"])
def test_a_closed_sum_holds_the_additions_of_one_sum_and_no_other_node(script: str) -> None:
    trace = trace_of(script)
    event = len(trace) - 1
    sums = Sums(trace, event)
    seen = 0
    for node in range(trace.first_node, min(trace.end_node, trace.first_node + 6000)):
        place, chain = sum_at(trace, node), sums.chain(node)
        assert bool(chain) == (place is not None)
        if place is not None:
            assert node in chain
            assert chain[-1] == place.total
            assert len(sums.terms(chain[-1])) == place.terms
            assert {sum_at(trace, n).total for n in chain} == {place.total}  # type: ignore[union-attr]
            seen += 1
    assert seen > 50
