"""The residual stream's overview: numbers from the script's own vectors, the lens, words, and why there is none."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from test_cli import call
from test_panes_views import staged, text_of
from tui_fixtures import opened, small_launch

from microgpt_tui.recognise.missing import of_residual
from microgpt_tui.recognise.residual import readings
from microgpt_tui.recognise.tokens import probability_values, tokens
from microgpt_tui.tui.numbers import plain
from microgpt_tui.tui.panes.attention_reads import percent
from microgpt_tui.tui.panes.residual import ResidualPane, angle
from tests.views_fixtures import trace_of

SCRIPTS = ["bundled", "gqa_three_layers", "whole_sequence"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_norms_and_what_is_added_are_those_of_the_vectors_and_the_last_lens_is_the_prediction(name: str) -> None:
    trace = trace_of(name)
    for d in tokens(trace).distributions:
        stages = readings(trace, d)
        assert len(stages) >= 3
        before: list[float] = []
        for reading in stages:
            values = [trace.data_at(n, len(trace)) for n in reading.stage.nodes]
            assert reading.stage.norm == pytest.approx(math.sqrt(sum(v * v for v in values)))
            if before:
                added = math.sqrt(sum((a - b) ** 2 for a, b in zip(values, before, strict=True)))
                assert reading.stage.added == pytest.approx(added)
            assert sum(reading.shares) == pytest.approx(1)
            before = values
        assert list(stages[-1].shares) == pytest.approx(probability_values(trace, d), rel=1e-6)


@pytest.mark.parametrize("size", [(54, 30), (78, 30), (120, 30)])
@pytest.mark.parametrize("name", SCRIPTS)
async def test_every_block_has_its_numbers_its_lens_and_the_target(name: str, size: tuple[int, int]) -> None:
    pane = ResidualPane()
    async with staged(pane, name, 1.0, size) as (app, pilot):
        view, trace = pane.view, trace_of(name)
        assert view is not None
        shown = pane.shown(view)
        assert shown is not None
        d, stages = shown
        lines = text_of(pane)
        assert max(map(len, lines)) <= pane.content_width
        for reading in stages:
            line = next(i for i, x in enumerate(lines) if x[2:].startswith(reading.stage.label + " "))
            block = lines[line] + ("" if pane.content_width >= 92 else lines[line + 1])
            assert plain(reading.stage.norm) in block
            if reading.stage.added == reading.stage.added:
                assert plain(reading.stage.added) in block
                assert angle(reading.stage.cosine) in block
            assert f"{percent(reading.shares[d.target])} ◂" in block
        for _ in range(len(stages) - 1):
            await pilot.press("up")
        assert next(x for x in text_of(pane) if x.startswith("› ")).startswith("› embedding")
        await pilot.press("enter")
        assert app.nodes == [(stages[0].stage.nodes[0], True)]
        await pilot.press("left")
        assert pane.shown(view) is not None
        assert pane.shown(view)[0].position == d.position - 1
        await pilot.press("z")
        assert pane.shown(view)[0] is d
        assert trace is view.trace


async def test_before_a_position_is_made_and_without_a_stream_a_sentence_says_why() -> None:
    for name, share in (("bundled", 0.01), ("mlp_only", 1.0)):
        pane = ResidualPane()
        async with staged(pane, name, share, (80, 24)) as (_, pilot):
            assert pane.view is not None
            (sentence,) = of_residual(trace_of(name), pane.view.event)
            assert sentence in " ".join(line.strip() for line in text_of(pane))
            await pilot.press("up", "left", "enter")  # nothing falls


def test_angles() -> None:
    assert [angle(c) for c in (1.0, 0.0, -1.0, 0.99999, math.nan, 1.0000000001)] == [
        "0°",
        "90°",
        "180°",
        "<1°",
        "",
        "0°",
    ]


async def test_the_key_shows_the_tab(tmp_path: Path) -> None:
    async with opened(small_launch(tmp_path)) as screen:
        await screen.press("R")
        assert screen.app.screen_stack[0].focused.has_class("pane-residual")
        assert "not made yet" in screen.text("residual") or "no position's distribution" in screen.text("residual")
        await screen.press("right_square_bracket")
        assert "after MLP 0" in screen.text("residual")


def test_headless(capsys: pytest.CaptureFixture[str]) -> None:
    script = str(Path(__file__).parent.parent / "sample_data/scripts/gqa_three_layers.py")
    status, out, _ = call(capsys, "show", script, "--at", "1:backward", "--pane", "residual", "--json")
    assert status == 0
    found = json.loads(out)
    assert found["missing"] == []
    assert all(len(p["stages"]) == 7 for p in found["positions"])
    for own in found["positions"]:
        assert own["stages"][0]["added"] is None
        assert all(sum(s["lens"]) == pytest.approx(1) for s in own["stages"])
    status, out, _ = call(capsys, "show", script, "--at", "1:1", "--pane", "residual")
    assert status == 0
    assert "no position's distribution is made yet" in out
