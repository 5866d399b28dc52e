"""The figure of the model: for any script every matrix, every head and layer, true numbers, text to be read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from microgpt_tui.cli import main
from microgpt_tui.graph.draw import pdf, png, svg
from microgpt_tui.graph.draw.font import font, letter, text_width
from microgpt_tui.graph.draw.shapes import Sheet, Text, circle, rectangle
from microgpt_tui.graph.frames import figure_events, figure_frames
from microgpt_tui.graph.model.figure import READABLE, Figure, figure
from microgpt_tui.graph.model.numbers import numbers_of
from microgpt_tui.graph.model.parts import family
from microgpt_tui.graph.model.structure import structure
from microgpt_tui.graph.model.units import common_name, factor_text, pattern
from microgpt_tui.graph.presets import style_named
from microgpt_tui.graph.request import Request
from microgpt_tui.graph.state import Reached, backward_span
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.trace import Trace

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(p for p in (ROOT / "sample_data/scripts").glob("*.py") if p.name != "engine_tiny.py")
NAMES = ROOT / "sample_data/names.txt"
SHARED = ROOT.parent / "shared/cases"
CASES = sorted([*SHARED.glob("small/*.py"), *SHARED.glob("styles/*.py"), *SHARED.glob("reports/*.py"),
                *SHARED.glob("layouts/*.py")])  # fmt: skip
BUNDLED = ROOT / "src/microgpt_tui/programs/microgpt.py"


def step_of(script: Path, **settings: str) -> Iterator[Trace]:
    """The first training step of a script."""
    debugger = Debugger(Launch(script, data=ROOT / "sample_data/names.txt", private_folder=True, overrides=settings))
    try:
        debugger.wait()
        debugger.next_episode()
        debugger.wait()
        yield next(t for t in debugger.history.traces.values() if t.episode_kind == "step")
    finally:
        debugger.close()


@pytest.fixture(scope="module")
def two_layers() -> Iterator[Trace]:
    yield from step_of(BUNDLED, n_embd="8", n_head="2", n_layer="2")


def drawn(trace: Trace, event: int | None = None) -> Figure:
    return figure(trace, len(trace) - 1 if event is None else event, style_named(), "test", trace.loss_node())


def assert_whole(trace: Trace) -> Figure:
    """The SVG is measured: every matrix and block of a script's figure is in it, at a size that can be read."""
    found = drawn(trace)
    text = svg.document(found.sheet)
    names = (unescape(n) for n in re.findall(r'data-matrices="([^"]*)"', text))
    shown = {pattern(name) for some in names for name in some.split("; ")}
    used = set(trace.child)
    for matrix in trace.program.matrices:
        if any(n in used and not len(trace.children(n)) for n in matrix.nodes):
            assert pattern(matrix.name) in shown
    assert min(float(s) for s in re.findall(r'data-size="([\d.]+)"', text)) >= READABLE - 0.05
    places = [p.place for p in found.parts.values()]
    assert len(set(places)) == len(places)
    for place in places:
        assert f'id="unit{place}"' in text
    for a, b in found.plan.edges:
        assert f'data-from="{a}" data-to="{b}"' in text
    return found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_every_script_gives_a_figure_with_every_matrix_that_can_be_read(script: Path) -> None:
    for trace in step_of(script):
        assert assert_whole(trace).fills >= 0.7


@pytest.mark.slow
@pytest.mark.skipif(not CASES, reason="no folder shared/cases beside the repository")
@pytest.mark.parametrize("script", CASES, ids=lambda p: p.stem)
def test_every_script_that_calls_backward_gives_such_a_figure(script: Path) -> None:
    """The first loss that a script has on one of its own steps, or in its setup."""
    debugger = Debugger(Launch(script, data=NAMES, private_folder=script.parent.name != "layouts"))
    try:
        debugger.wait()
        for _ in range(3):
            if debugger.over or any(t.loss_node() >= 0 for t in debugger.history.traces.values()):
                break
            debugger.next_episode()
            debugger.wait()
        traces = [t for t in debugger.history.traces.values() if t.loss_node() >= 0]
        if not traces:
            pytest.skip("no backward pass over a graph of its own episode")
        assert_whole(next((t for t in traces if t.episode_kind == "step"), traces[0]))
    finally:
        debugger.close()


def test_layers_are_drawn_once_and_hold_the_gradients_of_all(two_layers: Trace) -> None:
    found = drawn(two_layers)
    assert [(r.times, len(found.structure.units) > r.length * r.times) for r in found.structure.repeats] == [(2, True)]
    names = [m.name for p in found.parts.values() for m in p.unit.matrices]
    assert "layer0.attn_wq" in names
    assert "layer1.attn_wq" not in names
    place = next(p for p, part in found.parts.items() if part.title == "attn_wq")
    both = [m for m in two_layers.program.matrices if m.name.endswith(".attn_wq")]
    span = backward_span(two_layers, len(two_layers) - 1)
    assert span is not None
    grads = [two_layers.grad_at(n, span[1]) for m in both for n in m.nodes]
    assert found.numbers[place].grad == math.sqrt(sum(g * g for g in grads))


def test_attention_is_opened_and_the_stream_is_told(two_layers: Trace) -> None:
    found = structure(two_layers, two_layers.loss_node())
    kinds = [u.kind for u in found.units]
    assert kinds.count("scores") == kinds.count("blend") == 2
    scores = next(u for u in found.units if u.kind == "scores")
    assert (scores.title, scores.detail, scores.copies) == ("q·kᵀ", "÷ 2", 2)
    assert sum(u.skips >= 0 for u in found.units) == 4, "two residual blocks in each of two layers"
    assert found.units[found.loss].title == "mean of 8"


def test_what_a_unit_says_it_made_follows_from_its_operands(two_layers: Trace) -> None:
    """Every linear unit's first number, recomputed from the matrix and the vector that are its operands."""
    checked = 0
    for unit in structure(two_layers, two_layers.loss_node()).units:
        if unit.kind != "linear" or len(unit.matrices[0].shape) != 2:
            continue
        matrix, (inputs,) = unit.matrices[0], unit.operands
        rows, columns = matrix.shape
        assert len(inputs) == columns
        values = [two_layers.data_at(n, 0) if n < two_layers.first_node else two_layers.data_at(n, len(two_layers))
                  for n in inputs]  # fmt: skip
        results = [
            sum(two_layers.start_data[two_layers.kept_position[w]] * v for w, v in
                zip(matrix.nodes[r * columns : (r + 1) * columns], values, strict=True))
            for r in range(rows)
        ]  # fmt: skip
        assert any(math.isclose(two_layers.data_at(unit.vector[0], len(two_layers)), r, rel_tol=1e-9) for r in results)
        checked += 1
    assert checked >= 13


def test_the_loss_box_says_the_loss_and_its_gradient(two_layers: Trace) -> None:
    found = drawn(two_layers)
    loss = two_layers.loss()
    assert loss is not None
    assert f"{loss:.4f} · grad 1" in found.parts[found.structure.loss].lines


def test_frames_go_block_after_block_and_nothing_moves(two_layers: Trace) -> None:
    request = Request("model", style=style_named(), script="microgpt.py")
    span = backward_span(two_layers, len(two_layers) - 1)
    assert span is not None
    found = drawn(two_layers)
    events = figure_events(two_layers, found, span, 60)
    assert len(events) > 8
    order = [Reached.NONE, Reached.WAITING, Reached.ACCUMULATING, Reached.FINAL]
    for place in found.parts:
        units = family(found.structure, place)
        states = [order.index(numbers_of(two_layers, units, at).state) for at in events]
        assert states == sorted(states)
        assert states[-1] == order.index(Reached.FINAL)
    waiting = [sum(numbers_of(two_layers, family(found.structure, p), at).state is Reached.WAITING for p in found.parts)
               for at in events]  # fmt: skip
    assert len(set(waiting)) > 6, "not one long “accumulating”"
    sheets = list(figure_frames(two_layers, span[1], request, most=5))
    spots = [re.findall(r'<g id="(unit\d+)".*?d="M([\d.]+) ([\d.]+)', svg.document(s), re.S) for s in sheets]
    assert all(s == spots[0] for s in spots)


def test_a_script_without_a_loop_and_a_small_one_are_drawn_whole(tmp_path: Path) -> None:
    script = tmp_path / "small.py"
    script.write_text((ROOT / "sample_data/scripts/engine_tiny.py").read_text() + SMALL)
    path = tmp_path / "small.svg"
    assert main(["export", str(script), "-o", str(path)]) == 0
    text = path.read_text()
    said = re.findall(r'aria-label="([^"]*)"', text)
    for word in ("a", "b", "c +", "loss tanh"):
        assert word in said
    numbers = dict(re.findall(r'<g id="(n\d+)"[^>]*data-op="(\w+)"', text))
    assert sorted(numbers.values()).count("mul") == 1


def test_what_is_a_factor_and_is_added_too_is_drawn_twice_in_the_figure(tmp_path: Path) -> None:
    script = tmp_path / "small.py"
    script.write_text((ROOT / "sample_data/scripts/engine_tiny.py").read_text() + SMALL)
    path = tmp_path / "small.json"
    assert main(["export", str(script), "--what", "model", "-o", str(path)]) == 0
    titles = sorted(box["title"] for box in json.loads(path.read_text())["nodes"])
    assert titles == ["+", "a", "a", "b", "loss"], "c = a * b + a"


SMALL = """
a, b = Var(2.0), Var(3.0)
c = a * b + a
loss = c.tanh()
loss.backward()
"""


# -- names and factors -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "one"),
    [(["wq"], "wq"), (["hidden[0].w", "hidden[3].w"], "hidden[0…3].w"), (["a0.b1", "a0.b2"], "a0.b1…2")],
)
def test_names_that_differ_by_numbers_become_one(names: list[str], one: str) -> None:
    assert common_name(names) == one


@pytest.mark.parametrize(
    ("factor", "text"), [(0.5, "÷ 2"), (1 / math.sqrt(3), "÷ √3"), (1 / 7, "÷ 7"), (10.0, "× 10"), (0.3, "× 0.3")]
)
def test_a_constant_factor_is_written_as_people_do(factor: float, text: str) -> None:
    assert factor_text(factor) == text


# -- drawing ---------------------------------------------------------------------------------------


def test_what_is_measured_is_what_is_drawn() -> None:
    for text in ("attn_wq", "−0.0042", "q·kᵀ ÷ √4", "grad ✓"):
        end = Text(0, 0, text, 100, "#000000", anchor="start")
        right = max(x for _, points in end.curves() for x in points[::2])
        assert right <= text_width(text, 100) + 1
        assert right > text_width(text, 100) - 20
    assert all(ord(c) in font().glyph_of for c in "∇Σ√·×÷−→←≤✓…ᵀéßж"), "what we write has letters"
    assert letter("o", False)[0][0] == "M"


def test_every_file_is_exactly_the_slide() -> None:
    sheet = Sheet(192, 108, "#ffffff", [rectangle(10, 10, 50, 40, "#ff0000"), Text(100, 90, "x", 20, "#000000")], "é")
    assert b"/MediaBox [0 0 96 54]" in pdf.document(sheet)
    assert 'width="192" height="108"' in svg.document(sheet)
    width, height = (int.from_bytes(png.document(sheet)[i : i + 4], "big") for i in (16, 20))
    assert (width, height) == (192, 108)


def test_pixels_cover_exactly_the_area_of_what_is_drawn() -> None:
    import zlib

    sheet = Sheet(60, 60, "#000000", [circle(30, 30, 20, "#ffffff", "")])
    raw = png.document(sheet)
    start = raw.index(b"IDAT") + 4
    pixels = zlib.decompress(raw[start : start + int.from_bytes(raw[start - 8 : start - 4], "big")])
    total = sum(pixels[row * 181 + 1 + 3 * x] for row in range(60) for x in range(60)) / 255
    assert math.isclose(total, math.pi * 400, rel_tol=0.005)
