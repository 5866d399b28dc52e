"""The Graph pane, by its keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from microgpt_tui.graph.frames import backward_of
from microgpt_tui.graph.levels import Level
from microgpt_tui.graph.scene import Show
from microgpt_tui.protocol.codes import ACCUMULATE
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.names import own_name
from microgpt_tui.trace.trace import Trace
from microgpt_tui.tui.messages import NodeChosen
from microgpt_tui.tui.pane import View
from microgpt_tui.tui.panes.graph import GraphPane

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
        ranks = {place.rank for place in drawn.sheet.places.values()}
        assert len(ranks) == 3 if size[0] < 100 else len(ranks) > 3


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
        assert app.pane.cursor in step.children(first)
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
            drawn = app.pane.scene_of(app.pane.view, app.pane.content_width)  # type: ignore[arg-type]
            source = step.source[step.row[at]]
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
