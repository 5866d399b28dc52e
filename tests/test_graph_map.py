"""The model's map: rails that join what feeds what, the block of the cursor, norms, the way down and back."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cli import call
from test_graph_pane import Host, picture, ready, view_of
from tui_fixtures import opened, small_launch

from microgpt_tui.graph.draw.rails import NODE, rails
from microgpt_tui.graph.model.numbers import nodes_of, numbers_of
from microgpt_tui.graph.model.overview import overview, why_none
from microgpt_tui.graph.scene import Show
from microgpt_tui.graph.state import Reached, reached
from microgpt_tui.trace.names import matrix_place
from microgpt_tui.trace.trace import Trace
from microgpt_tui.tui.panes.graph import GraphPane
from microgpt_tui.tui.panes.graph_map import bar_length
from tests.views_fixtures import session, trace_of

SCRIPTS = ["bundled", "gqa_three_layers", "mixture", "mlp_only", "whole_sequence"]


@st.composite
def graphs(draw: st.DrawFn) -> list[list[int]]:
    count = draw(st.integers(1, 14))
    return [
        sorted(draw(st.sets(st.integers(0, user - 1), max_size=3))) if user else [] for user in range(count)
    ]  # fmt: skip


def read(rows: list[str], place: int, column: int) -> list[int]:
    """Follow a rail down from a box, as an eye does: the rows whose boxes it leads to."""
    found = []
    for row in range(place + 1, len(rows)):
        glyph = rows[row][column] if column < len(rows[row]) else " "
        if glyph in "│┼":
            continue
        if glyph not in f"{NODE}├┤╋┴╰╯":
            break
        found.append(row)
        if glyph not in "├┤╋":
            break
    return found


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_a_rail_leads_from_a_box_to_all_of_its_users_and_to_no_others(inputs: list[list[int]]) -> None:
    drawn = rails(inputs)
    rows = [rail.row for rail in drawn]
    for place, rail in enumerate(drawn):
        assert rail.row[rail.column] == NODE
        users = [user for user, sources in enumerate(inputs) if place in sources]
        assert read(rows, place, rail.column) == users
        used = [c for c in rail.row if c in "├┤╋┴╰╯"]
        assert len(inputs[place]) - len(used) in (0, 1)  # one of them may come from right above


def test_bars_tell_norms_by_their_logarithm() -> None:
    assert [bar_length(n, 1e-4, 1.0) for n in (0.0, math.nan, math.inf)] == [0, 0, 0]
    lengths = [bar_length(10.0**-k, 1e-4, 1.0) for k in range(5)]
    assert lengths == sorted(lengths, reverse=True)
    assert (lengths[0], lengths[-1]) == (8, 1)


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_operation_belongs_to_the_block_that_holds_its_parameter(script: str) -> None:
    trace = trace_of(script)
    assert why_none(trace) == ""
    found = overview(trace)
    held: dict[str, list[int]] = {}
    for block in found.blocks:
        for one in block.parameters:
            for matrix in one.matrices:
                held.setdefault(matrix.name, []).append(block.place)
    linear = {b.place for b in found.blocks if b.kind == "linear"}
    checked = 0
    nodes = random.Random(1).sample(
        range(trace.first_node, trace.end_node), min(2500, trace.end_node - trace.first_node)
    )
    for node in nodes:
        if trace.op_name(node) != "mul":
            continue
        names = [p[0].name for c in trace.children(node) if (p := matrix_place(trace, c)) is not None]
        places = held.get(names[0], []) if len(names) == 1 else []
        if len(places) == 1 and places[0] in linear:
            assert found.block_of(trace, node) == places[0], names
            checked += 1
    assert checked > 20


@pytest.mark.parametrize("script", SCRIPTS)
def test_norms_are_those_of_the_parameters(script: str) -> None:
    trace = trace_of(script)
    found = overview(trace)
    event = next(last for _, last, phase in trace.phase_spans if phase == 2)
    numbers = found.numbers(event)
    seen = 0
    for block in found.blocks:
        nodes = dict.fromkeys(n for h in block.parameters for m in h.matrices for n in m.nodes)
        if nodes:
            true = math.sqrt(sum(trace.grad_at(n, event) ** 2 for n in nodes))
            assert numbers[block.place].grad == pytest.approx(true, rel=1e-12)
            seen += 1
    assert seen > 1


@pytest.mark.parametrize("script", ["bundled", "gqa_three_layers"])
def test_numbers_that_are_kept_are_those_of_their_moment(script: str) -> None:
    trace = trace_of(script)
    found = overview(trace)
    for event in random.Random(3).sample(range(len(trace)), 25):
        kept = found.numbers(event)
        for block in found.blocks:
            true = numbers_of(trace, found.family(block), event)
            assert repr(kept[block.place]) == repr(true), (event, block.title)


async def test_while_the_pass_is_recorded_a_gradient_is_final_only_when_all_uses_have_added(tmp_path: Path) -> None:
    async with opened(small_launch(tmp_path), (120, 40)) as screen:
        await screen.press("right_square_bracket", "5", "l")
        pane = screen.app.screen_stack[0].focused
        assert isinstance(pane, GraphPane)
        for _ in range(12):
            await screen.press("s", "s", "s", "s", "s")
            view = pane.view
            assert view is not None
            found = pane.overview(view)
            assert found is not None
            assert not view.trace.complete
            numbers = found.numbers(view.event)
            for block in found.blocks:
                if numbers[block.place].state is Reached.FINAL:
                    nodes = nodes_of(found.family(block))
                    assert all(reached(view.trace, n, view.event) is Reached.FINAL for n in nodes), block.title
        assert "∇…" in screen.text("graph")


def event_in(trace: Trace, name: str) -> int:
    """An event in the middle of the forward pass that multiplies with a parameter of a matrix."""
    matrix = next(m for m in trace.program.matrices if m.name == name)
    users = [u for n in matrix.nodes[:8] for u in trace.users(n)]
    return trace.born_at(users[len(users) // 2])


@pytest.mark.parametrize("size", [(52, 34), (76, 16), (100, 50)])
async def test_the_map_marks_the_cursors_block_enter_goes_down_and_l_comes_back(size: tuple[int, int]) -> None:
    trace = trace_of("bundled")
    event = event_in(trace, "layer0.mlp_fc1")
    app = Host(view_of(session("bundled"), trace, event, trace.node_of(event)))
    async with app.run_test(size=size) as pilot:
        await ready(pilot)
        pane = app.pane
        await pilot.press("l")
        await ready(pilot)
        here = [line for line in shown(app) if line.startswith("▶")]
        assert len(here) == 1
        assert "mlp_fc1" in here[0]
        lines = [app.pane.line_at(app.first, pane.content_width, y) for y in range(pane.virtual_size.height)]
        text = "\n".join("".join(s.text for s in line) for line in lines)
        for word in ("wte", "attention", "attn_wq", "softmax ×4", "MLP", "after the layers", "lm_head", "loss"):
            assert word in text
        await pilot.press("up", "up")
        await ready(pilot)
        assert any(line.startswith("› ") for line in shown(app))
        await pilot.press("enter")
        await ready(pilot)
        assert not pane.mapped
        assert trace.op_name(app.chosen[-1]) == "add"  # the residual stream's addition
        assert pane.show_what is Show.AROUND
        await pilot.press("l")
        await ready(pilot)
        assert pane.mapped
        assert any(line[:1] in "▶›" for line in shown(app) if line[:1].strip())
        await pilot.press("l")
        assert not pane.mapped


def shown(app: Host) -> list[str]:
    return picture(app.pane).splitlines()


async def test_a_block_that_is_not_computed_yet_is_no_way_down() -> None:
    trace = trace_of("bundled")
    event = event_in(trace, "layer0.attn_wq")
    app = Host(view_of(session("bundled"), trace, event, trace.node_of(event)))
    async with app.run_test(size=(100, 50)) as pilot:
        await ready(pilot)
        await pilot.press("l")
        for _ in range(30):
            await pilot.press("down")
        await pilot.press("enter")
        await ready(pilot)
        assert app.pane.mapped
        assert app.chosen == []
        assert "not made yet" in picture(app.pane)


def test_without_a_loss_the_map_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = trace_of("bundled", sample=True)
    assert "loss" in why_none(trace)


def test_headless_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = str(Path(__file__).parent.parent / "sample_data/scripts/gqa_three_layers.py")
    status, out, _ = call(capsys, "show", script, "--at", "1:backward", "--pane", "map", "--json")
    assert status == 0
    found = json.loads(out)
    titles = [b["title"] for b in found["blocks"]]
    assert titles[-1] == "loss"
    assert {"Wq", "Wk", "Wv", "Wo"} <= set(titles)
    assert {b["layers"] for b in found["blocks"]} == {1, 3}
    places = [b["block"] for b in found["blocks"]]
    assert all(i in places[: places.index(b["block"])] for b in found["blocks"] for i in b["inputs"])
    assert found["here"] in places
    status, out, _ = call(capsys, "show", script, "--at", "1:backward", "--pane", "map")
    assert status == 0
    assert "blocks 0…2 · ×3 layers" in out
    assert out.count("▶") == 1
