"""The guided tour: every sentence holds at the moment that it is told at, on scripts of every style."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from support import BUNDLED, SAMPLES
from support import NAMES as NAMES_FILE
from tui_fixtures import opened, small_launch
from views_fixtures import Weights, bundled_forward, trace_of

from microgpt_tui.narrate import story
from microgpt_tui.narrate.tour import CHAPTERS, TourStop, sample_tour, step_tour
from microgpt_tui.narrate.words import number
from microgpt_tui.recognise.tokens import tokens
from microgpt_tui.session.commands import execute
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.moment import Moment
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.trace import Trace

CASES = Path(__file__).resolve().parents[1] / ".." / "shared" / "cases"
NAMES = ("bundled", "closures_set", "scalar_main", "gqa_three_layers", "mixture", "mlp_only")


def stops_of(trace: Trace, chapter: str) -> list[TourStop]:
    return [s for s in step_tour(trace) if s.chapter == chapter]


def percents(text: str) -> list[float]:
    return [float(p) / 100 for p in re.findall(r"([\d.]+)%", text)]


def before_colon(text: str, words: str) -> float:
    """The number that stands behind some words."""
    found = re.search(re.escape(words) + r" (-?[\d.,e-]*\d)", text)
    assert found is not None, (text, words)
    return float(found[1].replace(",", ""))


@pytest.mark.parametrize("name", NAMES)
def test_the_chapters_come_in_their_order_and_each_has_a_stop_or_a_sentence(name: str) -> None:
    trace = trace_of(name)
    told = step_tour(trace)
    assert list(dict.fromkeys(s.chapter for s in told)) == list(CHAPTERS[:-1])
    for stop in told:
        assert stop.text.endswith("."), stop
        assert "nan" not in stop.text, stop
        assert (stop.event >= 0) == bool(stop.pane), stop
        if stop.event < 0:
            assert "there is none here. " in stop.text
    assert all(s.chapter == "sampling" for s in sample_tour(trace_of(name, sample=True)))


@pytest.mark.parametrize("name", NAMES)
def test_every_sentence_is_true_of_the_trace_at_its_moment(name: str) -> None:
    trace = trace_of(name)
    checked = 0
    for stop in step_tour(trace):
        if stop.event < 0:
            continue
        checked += _CHECKS[stop.chapter](trace, stop)
    assert checked >= 7
    for stop in sample_tour(trace_of(name, sample=True)):
        if "The script draws" in stop.text:
            assert str(story(trace_of(name, sample=True), stop.event)) in stop.text


def _beginning(trace: Trace, stop: TourStop) -> bool:
    counts = dict.fromkeys(range(5), 0)
    for event in range(len(trace)):
        counts[trace.phase_of(event)] += 1
    names = ("setup", "forward", "backward", "optimizer", "inference")
    for phase, count in counts.items():
        assert (f"{count:,} in {names[phase]}" in stop.text) == bool(count)
    assert f"{len(trace.born):,} numbers are made" in stop.text
    return True


def _embedding(trace: Trace, stop: TourStop) -> bool:
    assert story(trace, stop.event).what in stop.text
    row = int(before_colon(stop.text, "Row"))
    made = trace.children(trace.node_of(stop.event))
    starts = {m.nodes[row * m.shape[1]] for m in trace.program.matrices if len(m.shape) == 2 and row < m.shape[0]}
    assert starts & set(made), "the row is one of the operands"
    position = int(before_colon(stop.text, "Position")) - 1
    at = next(p for p in tokens(trace).positions if p.sequence == 0 and p.position == position)
    assert at.node == trace.node_of(stop.event)
    return True


def _attention(trace: Trace, stop: TourStop) -> bool:
    if "score is" in stop.text:
        assert number(trace.data_at(stop.node, stop.event)) == stop.text.rpartition(" ")[2][:-1]
        assert trace.node_of(stop.event) == stop.node
        return True
    shares = percents(stop.text)
    assert shares == sorted(shares, reverse=True)
    assert math.isclose(shares[0], trace.data_at(stop.node, stop.event), abs_tol=5e-4)
    if "the rest" not in stop.text:
        assert math.isclose(sum(shares), 1, abs_tol=2e-3)
    return True


def _mlp(trace: Trace, stop: TourStop) -> bool:
    if "strongest says" in stop.text:
        assert before_colon(stop.text, "strongest says") == float(number(trace.data_at(stop.node, stop.event)))
        line = int(before_colon(stop.text, "on line"))
        assert trace.site_of(stop.node).line == line
        return True
    assert "added to the residual stream" in stop.text
    return before_colon(stop.text, "length is") >= 0


def _prediction(trace: Trace, stop: TourStop) -> bool:
    shares = percents(stop.text)
    assert trace.born_at(stop.node) <= stop.event
    assert shares[0] == max(shares)
    if tokens(trace).distributions[0].probabilities:
        assert math.isclose(shares[-1], trace.data_at(stop.node, stop.event), abs_tol=5e-4)
    return True


def _loss(trace: Trace, stop: TourStop) -> bool:
    value = abs(trace.data_at(stop.node, stop.event))
    assert number(value) in stop.text
    if "logarithm" in stop.text:
        assert math.isclose(-math.log(percents(stop.text)[0]), value, rel_tol=2e-2)
    if "evenly" in stop.text:
        assert number(math.log(tokens(trace).size)) in stop.text
    return True


def _backward(trace: Trace, stop: TourStop) -> bool:
    if "is through" not in stop.text:
        assert stop.text == str(story(trace, stop.event))
        return True
    grads = [trace.grad_at(n, stop.event) for n in trace.program.kept]
    assert f"{sum(g != 0 for g in grads):,} of {len(grads):,} parameters" in stop.text
    assert before_colon(stop.text, "largest is") == float(number(max(grads, key=abs)))
    assert trace.grad_at(stop.node, stop.event) == max(grads, key=abs)
    return True


def _optimizer(trace: Trace, stop: TourStop) -> bool:
    assert story(trace, stop.event).what in stop.text
    assert before_colon(stop.text, "gradient is") == float(number(trace.grad_at(stop.node, stop.event - 1)))
    changed = sum(a != b for a, b in zip(trace.old, trace.new, strict=True))
    assert f"with {changed:,} parameters" in stop.text
    return True


_CHECKS = {
    "beginning": _beginning, "embedding": _embedding, "attention": _attention, "MLP": _mlp, "prediction": _prediction,
    "loss": _loss, "backward": _backward, "optimizer": _optimizer,
}  # fmt: skip


def test_what_it_tells_of_the_bundled_model_is_what_plain_floats_compute() -> None:
    trace = trace_of("bundled")
    ids = tokens(trace).text(0)
    attention, probabilities = bundled_forward(Weights(trace), ids)
    shares = percents(stops_of(trace, "attention")[1].text)
    assert shares == pytest.approx(sorted(attention[0][3], reverse=True), abs=6e-4)
    target = next(d.target for d in tokens(trace).distributions if d.position == 3)
    assert percents(stops_of(trace, "prediction")[0].text) == pytest.approx(
        [max(probabilities[3]), probabilities[3][target]], abs=6e-4
    )


@pytest.mark.parametrize(
    "script", [BUNDLED, SAMPLES / "scripts" / "mlp_only.py", CASES / "small" / "mlp.py", CASES / "small" / "tiny2.py",
               CASES / "styles" / "x_k1.py"], ids=lambda p: p.stem,
)  # fmt: skip
def test_a_session_walks_the_whole_tour_and_stands_where_it_says(script: Path, tmp_path: Path) -> None:
    if not script.exists():
        pytest.skip("the shared cases are not here")
    launch = small_launch(tmp_path) if script == BUNDLED else Launch(script, data=NAMES_FILE, private_folder=True)
    debugger = Debugger(launch)
    try:
        debugger.wait()
        seen = []
        while not seen or seen[-1].chapter != "end":
            told = execute(debugger, "tour next")
            stop = debugger.tour.stop(debugger)
            assert stop is not None
            assert stop.text in told.text
            assert told.data["tour"]["chapter"] == stop.chapter
            if stop.event >= 0:
                episode = debugger.tour.sample if stop.chapter == "sampling" else debugger.tour.step
                assert debugger.moment == Moment(episode, stop.event)
            seen.append(stop)
            assert len(seen) < 40
        assert {s.chapter for s in seen} == {*CHAPTERS, "end"}
        execute(debugger, "tour loss")
        execute(debugger, "tour off")
        execute(debugger, "goto start")
        assert "tour" not in execute(debugger, "step").text
        assert " · loss" in execute(debugger, "tour").text, "it goes on where it was left"
        assert " · backward" in execute(debugger, "tour backw").text
    finally:
        debugger.close()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 55)])
async def test_the_screen_walks_it_pointing_at_panes_and_can_be_left_anywhere(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with opened(small_launch(tmp_path), size, hint=True, remember=tmp_path / "state" / "screen.json") as screen:
        assert "t gives a guided tour" in screen.bottom
        await screen.press("t")
        strip = screen.app.main.lesson
        chapters = []
        for _ in range(30):
            stop = screen.debugger.tour.stop(screen.debugger)
            assert stop is not None
            chapters.append(stop.chapter)
            if stop.chapter == "end":
                break
            shown = " ".join(strip.lines)
            assert shown == " ".join(stop.text.split()), "all of it is shown"
            assert stop.chapter in strip.title
            if stop.pane:
                assert any(f"pane-{stop.pane}" in p.classes for p in screen.app.main.visible_panes()), stop
                assert screen.app.last_view is not None
                assert screen.app.last_view.event == stop.event
                assert stop.node in (-1, screen.app.last_view.node)
            assert screen.app.focused is strip
            await screen.press("enter")
        assert set(chapters) == {*CHAPTERS, "end"}
        await screen.press("backspace", "escape")
        assert not strip.display
        await screen.press("t")
        assert strip.display
        assert "sampling" in strip.title
    async with opened(small_launch(tmp_path), size, hint=True, remember=tmp_path / "state" / "screen.json") as screen:
        assert "New here" not in screen.bottom, "only at the first start"
