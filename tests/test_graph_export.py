"""Pictures: DOT that real engines take, the trace's numbers in it, text that can be read on a slide, safe files."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from microgpt_tui.graph import dot, engines
from microgpt_tui.graph.draw import svg
from microgpt_tui.graph.drawing import Drawing
from microgpt_tui.graph.engines import Cancelled, EngineError, Renderer
from microgpt_tui.graph.export import export, formats_of
from microgpt_tui.graph.files import ExportError, write_whole
from microgpt_tui.graph.fitting import draw, picture_for
from microgpt_tui.graph.folding import nodes_at
from microgpt_tui.graph.formats import FORMATS
from microgpt_tui.graph.frames import animated, backward_of, frames, write_frames
from microgpt_tui.graph.numbers import signed
from microgpt_tui.graph.picture import Picture
from microgpt_tui.graph.presets import THEMES, style_named
from microgpt_tui.graph.request import Request, What
from microgpt_tui.graph.selection import between, cone, target_of, to_loss, to_parameters, top_paths
from microgpt_tui.graph.state import (
    Reached,
    carrying,
    contributions,
    reached,
    reached_by_sums,
    sums_by_group,
    uses_by_group,
)
from microgpt_tui.graph.whats import WHATS
from microgpt_tui.protocol.codes import ACCUMULATE
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.names import own_name
from microgpt_tui.trace.trace import Trace

ROOT = Path(__file__).parent.parent
HERE = [engine.name for engine in engines.engines()]
DRAWN = [w.name for w in WHATS.values() if w.picture is not None and not w.needs_other and w.name != "graph"]


@pytest.fixture(scope="module")
def step() -> Iterator[Trace]:
    launch = Launch(
        ROOT / "src/microgpt_tui/programs/microgpt.py", data=ROOT / "sample_data/names.txt", private_folder=True,
        overrides={"n_embd": "8", "n_head": "2"},
    )  # fmt: skip
    debugger = Debugger(launch)
    try:
        debugger.wait()
        debugger.next_episode()
        debugger.wait()
        yield next(t for t in debugger.history.traces.values() if t.episode_kind == "step")
    finally:
        debugger.close()


@pytest.fixture(params=["dot", "wheel"])
def engine(request: pytest.FixtureRequest) -> Renderer:
    if request.param not in HERE:
        pytest.skip(f"no Graphviz of this kind here: {request.param}")
    return Renderer(request.param)


@pytest.fixture
def graphviz() -> None:
    if not HERE:
        pytest.skip("no Graphviz here")


def named(trace: Trace, text: str) -> int:
    return next(n for n in range(trace.end_node - 1, -1, -1) if own_name(trace, n) == text)


def middle_of_backward(trace: Trace) -> int:
    first, last = backward_of(trace, len(trace) - 1)
    return (first + last) // 2


# -- what is selected ------------------------------------------------------------------------------


def test_a_cone_is_near_and_what_is_left_out_is_counted(step: Trace) -> None:
    node, event = named(step, "attn_logits[1]"), len(step) - 1
    chosen = cone(step, node, event, 2, 2, limit=12)
    assert node in chosen.nodes
    assert len(chosen.nodes) <= 12
    for n in chosen.nodes:
        outside = {c for c in step.children(n) if c not in chosen.nodes}
        assert chosen.more_inputs.get(n, 0) == len(outside)


def test_between_is_exactly_the_nodes_on_paths(step: Trace) -> None:
    source, event = named(step, "attn_logits[1]"), len(step) - 1
    loss = target_of(step, event)
    inside = set(between(step, source, loss, event).nodes)
    assert set(to_loss(step, source, event).nodes) == inside
    for n in inside - {source}:
        assert any(c in inside for c in step.children(n))
    for n in inside - {loss}:
        assert any(u in inside for u in step.users(n))


def test_no_path_leads_back_in_time_or_to_a_stranger(step: Trace) -> None:
    first = step.first_node
    assert between(step, first, first, 5).nodes == (first,)
    lonely = next(n for n in range(first, step.end_node) if not step.users(n))
    other = next(n for n in range(first, lonely) if lonely not in step.users(n) and not step.children(n))
    assert lonely not in between(step, other, other, len(step) - 1).nodes


def test_the_way_down_ends_at_parameters_and_constants(step: Trace) -> None:
    chosen = to_parameters(step, named(step, "q[3]"), len(step) - 1)
    leaves = [n for n in chosen.nodes if not any(c in chosen.nodes for c in step.children(n))]
    assert all(n < step.first_node or not len(step.children(n)) for n in leaves)
    assert any(own_name(step, n).startswith("layer0.attn_wq[3]") for n in leaves if own_name(step, n))


def test_the_products_of_all_paths_add_up_to_the_gradient(step: Trace) -> None:
    event = len(step) - 1
    loss = target_of(step, event)
    found = []
    for i in range(27):
        source = named(step, f"exps[{i}]")
        paths = top_paths(step, source, loss, event, 1000)
        assert math.isclose(sum(p.product for p in paths), step.grad_at(source, event), rel_tol=1e-12)
        found.append(len(paths))
    assert max(found) > 1


def test_top_paths_come_in_order_and_are_paths(step: Trace) -> None:
    source, event = named(step, "v[1]"), len(step) - 1
    paths = top_paths(step, source, target_of(step, event), event, 6)
    assert len(paths) == 6
    sizes = [abs(p.product) for p in paths]
    assert sizes == sorted(sizes, reverse=True)
    for path in paths:
        assert all(a in step.children(b) for a, b in pairwise(path.nodes))


# -- numbers ---------------------------------------------------------------------------------------


def test_boxes_and_edges_have_the_numbers_of_the_trace(step: Trace) -> None:
    event = middle_of_backward(step)
    node = step.target[step.row[next(e for e in range(event, len(step)) if step.kind[e] == ACCUMULATE)]]
    picture = picture_for(step, event, Request("cone", node))
    for box in picture.boxes:
        assert box.data == step.data_at(box.node, event)
        if box.state in (Reached.ACCUMULATING, Reached.FINAL):
            assert box.grad == step.grad_at(box.node, event)
    for arrow in picture.arrows:
        if arrow.contribution == arrow.contribution:
            assert arrow.contribution in contributions(step, arrow.tail, arrow.head, event)
            assert math.isclose(arrow.contribution, arrow.local * step.grad_at(arrow.head, event), rel_tol=1e-12)


def test_the_contributions_of_a_node_add_up_to_its_gradient(step: Trace) -> None:
    event = backward_of(step, len(step) - 1)[1]
    for node in range(named(step, "q[0]"), named(step, "q[0]") + 30):
        sums = [c for user in dict.fromkeys(step.users(node)) for c in contributions(step, node, user, event)]
        assert math.isclose(sum(sums), step.grad_at(node, event), rel_tol=1e-9, abs_tol=1e-15)


def test_the_edge_that_carries_the_gradient_is_marked(step: Trace) -> None:
    event = next(e for e in range(middle_of_backward(step), len(step)) if step.kind[e] == ACCUMULATE)
    operand, user = carrying(step, event) or (-1, -1)
    picture = picture_for(step, event, Request("cone", operand, depth=1))
    assert [(a.tail, a.head) for a in picture.arrows if a.carrying] == [(operand, user)]


def test_a_gradient_is_waiting_then_accumulating_then_final(step: Trace) -> None:
    first, last = backward_of(step, len(step) - 1)
    node = next(n for n in range(step.first_node, step.end_node) if len(step.writes_of(n)) > 2)
    states = [reached(step, node, e) for e in range(first, last + 1, max(1, (last - first) // 400))]
    order = [Reached.WAITING, Reached.ACCUMULATING, Reached.FINAL]
    assert [order.index(s) for s in states] == sorted(order.index(s) for s in states)
    assert reached(step, node, first - 1) is Reached.NONE
    assert reached(step, node, last) is Reached.FINAL


def test_operands_are_shown_as_the_operations_used_them(step: Trace) -> None:
    """Whatever the moment, also after the optimizer has changed every parameter: the arithmetic drawn is true."""
    end = len(step) - 1
    updated = [p for p in step.update_index if step.data_at(p, end) != step.data_at(p, 0)]
    assert updated
    for event in (middle_of_backward(step), end):
        checked = 0
        for parameter in updated[:: len(updated) // 20]:
            users = [u for u in step.users(parameter) if step.op_name(u) == "mul"]
            if not users:
                continue
            boxes = {box.node: box.data for box in picture_for(step, event, Request("cone", users[-1], depth=1)).boxes}
            a, b = step.children(users[-1])
            assert boxes[users[-1]] == boxes[a] * boxes[b]
            checked += 1
        assert checked > 3
    assert "as the forward pass used them" in picture_for(step, end, Request("model")).subtitle


def test_the_whole_graphs_arithmetic_is_true_at_its_end(step: Trace, tmp_path: Path) -> None:
    path = tmp_path / "scalars.json"
    export(step, len(step) - 1, Request("scalars"), path)
    found = json.loads(path.read_text())
    data = dict(zip(found["node"], found["data"], strict=True))
    operands: dict[int, list[float]] = {}
    for child, user in zip(found["from"], found["to"], strict=True):
        operands.setdefault(user, []).append(data[child])
    products = [node for node, op in zip(found["node"], found["op"], strict=True) if op == "mul"]
    assert len(products) > 1000
    assert all(data[node] == operands[node][0] * operands[node][1] for node in products)


def test_the_state_of_a_group_is_that_of_its_nodes(step: Trace) -> None:
    """A fold that holds each node alone says of it what is said of a node, at any moment."""
    first, last = backward_of(step, len(step) - 1)
    nodes = list(range(step.first_node, step.end_node, 211))
    group_of = [-1] * step.end_node
    for g, node in enumerate(nodes):
        group_of[node] = g
    for event in (0, first - 1, first, first + 1, (first + last) // 3, (first + last) // 2, last, len(step) - 1):
        sums, uses = sums_by_group(step, event, group_of, len(nodes)), uses_by_group(step, group_of, len(nodes))
        for g, node in enumerate(nodes):
            found = reached_by_sums(step, event, sums[g], uses[g])
            assert found is reached(step, node, event), f"node {node} at {event}"


def test_a_group_is_final_only_when_all_that_its_nodes_get_has_come_also_from_outside_the_picture(step: Trace) -> None:
    node = named(step, "attn_logits[1]")
    first, last = backward_of(step, len(step) - 1)
    for event in range(first, last, (last - first) // 12):
        picture = picture_for(step, event, Request("head", node))
        inside: dict[int, list[int]] = {}
        for member, key in picture.members.items():
            inside.setdefault(key, []).append(member)
        for box in picture.boxes:
            if box.node < 0 and box.state is Reached.FINAL:
                come = sum(step.write_event[r] <= event for n in inside[box.key] for r in step.writes_of(n))
                all_ = sum(step.write_event[r] <= last for n in inside[box.key] for r in step.writes_of(n))
                assert come == all_


# -- rendering -------------------------------------------------------------------------------------


def svg_of(drawing: Drawing) -> str:
    return svg.document(drawing.sheet())


def texts_of(svg: str) -> list[str]:
    return re.findall(r'aria-label="([^"]*)"', svg)


def pixels(svg: str) -> list[float]:
    """Sizes of all text on a page of 1080 pixels' height, from the numbers in the file."""
    return [float(size) for size in re.findall(r'data-size="([\d.]+)"', svg)]


def test_a_picture_renders_with_each_engine_and_its_values_are_the_traces(
    step: Trace, engine: Renderer, tmp_path: Path
) -> None:
    node, event = named(step, "attn_logits[1]"), middle_of_backward(step)
    request = Request("cone", node, style=style_named(edges="local"))
    drawing = draw(step, event, request, engine)
    shown = set(texts_of(svg_of(drawing)))
    for box in drawing.picture.boxes:
        assert signed(box.data) in shown
    for form, magic in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        path = tmp_path / f"picture.{form}"
        export(step, event, request, path, renderer=engine)
        assert path.read_bytes().startswith(magic)


@pytest.mark.parametrize("what", DRAWN)
@pytest.mark.usefixtures("graphviz")
def test_everything_there_is_can_be_drawn_and_read_on_a_slide(step: Trace, what: str, tmp_path: Path) -> None:
    node, event = named(step, "attn_logits[1]"), middle_of_backward(step)
    style = style_named(labels=WHATS[what].labels)
    written = export(step, event, Request(what, node, style=style), tmp_path / "picture.svg")
    text = written.path.read_text()
    assert min(pixels(text)) >= 13.9 or any("small text" in note for note in written.notes), "14 pixels, or it is said"
    assert 'width="1920" height="1080"' in text
    assert written.boxes >= 3 or not written.edges


@pytest.mark.parametrize("size", ["16:9", "4:3", "free"])
@pytest.mark.parametrize("theme", list(THEMES))
@pytest.mark.usefixtures("graphviz")
def test_every_preset_renders(step: Trace, size: str, theme: str) -> None:
    request = Request("statement", named(step, "loss"), style=style_named(theme, size, "td", "both", "contribution"))
    assert THEMES[theme].background in svg_of(draw(step, len(step) - 1, request))


def test_the_sign_is_seen_without_colour(step: Trace) -> None:
    picture = picture_for(step, len(step) - 1, Request("statement", named(step, "loss")))
    source = dot.document(picture, style_named(edges="local"))
    negative = [a for a in picture.arrows if a.local < 0]
    lines = {re.search(r"id=(e\d+)", line)[1]: line for line in source.splitlines() if " -> " in line}  # type: ignore[index]
    for i, arrow in enumerate(picture.arrows):
        assert ("dashed" in lines[f"e{i}"]) == (arrow in negative)


@pytest.mark.usefixtures("graphviz")
def test_text_that_cannot_be_read_is_folded_and_that_is_said(step: Trace) -> None:
    event = len(step) - 1
    request = Request("layer", named(step, "attn_logits[1]"))
    folded, forced = draw(step, event, request), draw(step, event, replace(request, force=True))
    assert len(folded.picture.boxes) < len(forced.picture.boxes)
    assert any("folded from" in note for note in folded.notes)
    assert not forced.is_readable


def test_dot_text_is_the_same_picture_for_other_tools(step: Trace, engine: Renderer, tmp_path: Path) -> None:
    path = tmp_path / "head.dot"
    written = export(step, len(step) - 1, Request("head", named(step, "attn_logits[1]")), path)
    plain = engine.render(path.read_text(), "plain").decode()
    assert sum(line.startswith("node ") for line in plain.splitlines()) == written.boxes
    assert sum(line.startswith("edge ") for line in plain.splitlines()) == written.edges


def test_json_says_what_the_schema_promises(step: Trace, tmp_path: Path) -> None:
    path = tmp_path / "cone.json"
    event = middle_of_backward(step)
    export(step, event, Request("cone", named(step, "attn_logits[1]")), path)
    found = json.loads(path.read_text())
    assert found["schema"] == "microgpt-tui/graph/1"
    assert found["moment"] == {"episode": "step", "number": 1, "event": event + 1}
    ids = {node["id"] for node in found["nodes"]}
    assert all(edge["from"] in ids and edge["to"] in ids for edge in found["edges"])
    for node in found["nodes"]:
        assert node["data"] == step.data_at(node["node"], event)


def test_the_whole_scalar_graph_streams_and_parses(step: Trace, engine: Renderer, tmp_path: Path) -> None:
    event = step.born[300]
    path = tmp_path / "scalars.dot"
    export(step, event, Request("scalars"), path)
    text = path.read_text()
    rows = re.findall(r'^(\d+) \[op="(\w+)" data="([^"]*)" grad="([^"]*)"', text, re.M)
    assert sum(int(r[0]) >= step.first_node for r in rows) == nodes_at(step, event)
    for node, op, data, _ in rows:
        assert op == step.op_name(int(node))
        assert float(data) == step.data_at(int(node), event)
    edges = re.findall(r"^(\d+)->(\d+)", text, re.M)
    assert len(edges) == sum(len(step.children(step.first_node + i)) for i in range(301))
    assert b"digraph" in engine.render(text, "canon")


def test_scalar_json_has_every_edge(step: Trace, tmp_path: Path) -> None:
    path = tmp_path / "scalars.json"
    event = len(step) - 1
    export(step, event, Request("scalars"), path)
    found = json.loads(path.read_text())
    assert len(found["from"]) == len(found["to"]) == len(found["local"]) == len(step.child)
    place = {n: i for i, n in enumerate(found["node"])}
    for child, user in list(zip(found["from"], found["to"], strict=True))[::97]:
        assert child in step.children(user)
        assert found["grad"][place[child]] == step.grad_at(child, event)


# -- engines ---------------------------------------------------------------------------------------


def test_without_any_engine_what_the_pane_can_draw_is_laid_out_by_ourselves(
    step: Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "engines", list)
    written = export(step, len(step) - 1, Request("statement", named(step, "loss")), tmp_path / "picture.svg")
    text = written.path.read_text()
    assert written.boxes >= 3
    assert text.count('data-from="') == written.edges
    assert signed(step.data_at(named(step, "loss"), len(step))) in texts_of(text)


def test_without_any_engine_a_picture_too_large_for_us_is_written_as_dot(
    step: Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "engines", list)
    request = Request("parameters", named(step, "q[3]"), budget=1000, force=True)
    monkeypatch.setattr("microgpt_tui.graph.layouts.MOST", 5)
    for _ in range(2):  # what the first try has left does not stand in the way of the next
        with pytest.raises(EngineError, match=r"wrote .*picture\.dot instead.*graphviz"):
            export(step, len(step) - 1, request, tmp_path / "picture.svg")
    assert (tmp_path / "picture.dot").read_text().startswith("digraph")
    assert not (tmp_path / "picture.svg").exists()
    (tmp_path / "picture.dot").write_text("digraph { mine }")
    with pytest.raises(EngineError, match=r"picture\.dot is there already and stays as it is.*graphviz"):
        export(step, len(step) - 1, request, tmp_path / "picture.svg")
    assert (tmp_path / "picture.dot").read_text() == "digraph { mine }"


def test_an_engine_that_fails_leaves_nothing_behind(
    step: Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bin" / "dot"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'Error: out of memory' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(engines, "engines", lambda: [engines.Engine("dot", str(broken))])
    request, folder = Request("statement", named(step, "loss")), tmp_path / "out"
    folder.mkdir()
    for form in ("svg", "png", "pdf"):
        with pytest.raises(EngineError, match="out of memory"):
            export(step, len(step) - 1, request, folder / f"picture.{form}")
    with pytest.raises(EngineError, match="out of memory"):
        write_frames(step, 0, request, folder / "frames")
    assert not list(folder.iterdir())


def big_source() -> str:
    return "digraph {" + "".join(f"{i}->{i * 7 % 900};{i}->{i * 13 % 900};" for i in range(3000)) + "}"


def test_a_layout_that_takes_too_long_is_stopped(engine: Renderer) -> None:
    start = time.monotonic()
    with pytest.raises(EngineError, match=r"longer than 0\.3 seconds"):
        replace(engine, timeout=0.3).render(big_source(), "svg")
    assert time.monotonic() - start < 3


def test_a_layout_can_be_cancelled(engine: Renderer, tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(Cancelled):
        replace(engine, cancelled=lambda: time.monotonic() - start > 0.2).render(big_source(), "svg")
    assert time.monotonic() - start < 3


def test_a_fault_of_the_engine_is_told(engine: Renderer) -> None:
    with pytest.raises(EngineError, match="failed"):
        engine.render("digraph { a -> ", "svg")


# -- files -----------------------------------------------------------------------------------------


def test_an_existing_file_is_kept_unless_told_otherwise(step: Trace, tmp_path: Path) -> None:
    path = tmp_path / "mine.dot"
    path.write_text("precious")
    request = Request("statement", named(step, "loss"))
    with pytest.raises(ExportError, match="exists already"):
        export(step, len(step) - 1, request, path)
    assert path.read_text() == "precious"
    export(step, len(step) - 1, request, path, overwrite=True)
    assert path.read_text().startswith("digraph")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "half.dot"
    path.write_text("before")

    def parts() -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, parts(), overwrite=True)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="No such file or directory"):
        write_whole(tmp_path / "nowhere" / "x.dot", [b""])


@pytest.mark.parametrize("bad", ["picture.gif", "picture"])
def test_an_unknown_format_lists_the_known_ones(step: Trace, tmp_path: Path, bad: str) -> None:
    with pytest.raises(ExportError, match=r"svg, png, pdf, html, dot, json"):
        export(step, len(step) - 1, Request(), tmp_path / bad)


# -- frames ----------------------------------------------------------------------------------------


def positions(svg: str) -> list[tuple[str, str, str]]:
    """The name of every node in an SVG with where its title is."""
    return re.findall(r'<g id="(n\d+)".*?<path d="M([\d.]+) ([\d.]+)', svg, re.S)


@pytest.mark.usefixtures("graphviz")
def test_frames_have_the_same_places_and_only_the_gradients_change(step: Trace) -> None:
    request = Request("statement", named(step, "loss"), style=style_named(edges="contribution"))
    drawn = list(frames(step, len(step) - 1, request, most=8))
    pictures: list[Picture] = [drawing.picture for drawing in drawn]
    svgs = [svg_of(drawing) for drawing in (drawn[0], drawn[len(drawn) // 2], drawn[-1])]
    assert positions(svgs[0])
    assert positions(svgs[0]) == positions(svgs[1]) == positions(svgs[2])
    known = [sum(box.grad == box.grad for box in p.boxes) for p in pictures]
    assert known[0] == 0
    assert known == sorted(known)
    assert known[-1] == len(pictures[-1].boxes)
    for picture in pictures:
        for box in picture.boxes:
            assert box.node < 0 or box.data == step.data_at(box.node, len(step))


@pytest.mark.usefixtures("graphviz")
def test_frames_are_numbered_and_animated(step: Trace, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    written = write_frames(step, 0, Request("statement", named(step, "loss")), folder, most=4)
    assert [p.name for p in written] == [f"frame-{i:03d}.svg" for i in range(1, len(written))] + ["animation.svg"]
    animation = written[-1].read_text()
    assert animation.count("<animate ") == len(written) - 1
    with pytest.raises(ExportError, match="has files in it"):
        write_frames(step, 0, Request("statement", named(step, "loss")), folder)


def test_the_animation_shows_exactly_one_picture_at_any_time() -> None:
    animation = animated(['<svg width="1"><g/></svg>'] * 3)
    values = re.findall(r'values="([^"]*)" keyTimes="([^"]*)"', animation)
    spans = [dict(zip(map(float, times.split(";")), shown.split(";"), strict=True)) for shown, times in values]
    for moment in (0.0, 0.1, 0.3, 0.5, 0.9):
        visible = [s[max(t for t in s if t <= moment)] == "visible" for s in spans]
        assert visible.count(True) == 1


# -- tables ----------------------------------------------------------------------------------------


def test_attention_heatmaps_hold_the_weights_and_rows_add_up_to_one(step: Trace) -> None:
    picture = picture_for(step, len(step) - 1, Request("attention"))
    assert len(picture.rows) == 2
    for head in picture.rows:
        for row in head["weights"]:  # type: ignore[attr-defined]
            assert math.isclose(sum(w for w in row if w is not None), 1, rel_tol=1e-12)


def test_the_distribution_names_the_target(step: Trace, engine: Renderer) -> None:
    drawing = draw(step, len(step) - 1, Request("tokens", style=style_named("dark")), engine)
    rows = drawing.picture.rows
    assert sum(bool(row["target"]) for row in rows) == 1
    probabilities = [float(str(row["probability"])) for row in rows]
    assert probabilities[:-1] == sorted(probabilities[:-1], reverse=True)
    assert min(pixels(svg_of(drawing))) >= 13.9


def test_a_table_has_no_frames(step: Trace, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="attention shows no gradients"):
        write_frames(step, 0, Request("attention"), tmp_path / "frames")
    assert not list(tmp_path.iterdir())


# -- what × format ---------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [w for w in WHATS.values() if w.name != "graph"], ids=lambda w: str(w.name))
def test_everything_can_be_written_in_every_format_it_has(step: Trace, what: What, tmp_path: Path) -> None:
    node, event = named(step, "attn_logits[1]"), backward_of(step, len(step) - 1)[1]
    request = Request(what.name, node, target_of(step, event), style=style_named(labels=what.labels))
    for form in formats_of(what):
        if HERE or FORMATS[form].write is None:
            assert export(step, event, request, tmp_path / f"picture.{form}").size > 100
    for form in set(FORMATS) - set(formats_of(what)):
        with pytest.raises(ExportError, match=f"{what.name} .* cannot be written as {form}"):
            export(step, event, request, tmp_path / f"picture.{form}")


def test_the_documentation_lists_what_the_registries_hold() -> None:
    text = (ROOT / "docs/export.md").read_text()
    for what in WHATS.values():
        forms = "" if what.picture is not None else " (" + ", ".join(formats_of(what)) + ")"
        assert f"| `{what.name}` | {what.meaning}{forms} |" in text
    for form in FORMATS.values():
        assert f"| `.{form.name}` | {form.meaning} |" in text
