"""What a position reads: percentages that are the script's weights, their mean, arcs, words, and the scale by row."""

from __future__ import annotations

import math
import re

import pytest
from test_panes_views import staged, text_of

from microgpt_tui.recognise.attention import attention, entropy_of
from microgpt_tui.tui.panes.attention import AttentionPane
from microgpt_tui.tui.panes.attention_reads import percent, spread_words
from tests.views_fixtures import trace_of


def test_percentages_are_never_all_or_nothing_where_the_share_is_not() -> None:
    shares = (0.0, 1e-9, 0.0049, 0.014, 0.714, 0.9949, 0.995, 0.99999, 1.0)
    assert [percent(s) for s in shares] == ["0%", "<1%", "<1%", "1%", "71%", "99%", ">99%", ">99%", "100%"]
    assert percent(math.nan) == "nan"


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1.0], "only itself"),
        ([0.25, 0.25, 0.25, 0.25], "spread evenly"),
        ([0.05, 0.05, 0.05, 0.85], "mostly itself"),
        ([0.05, 0.85, 0.05, 0.05], "mostly b (2)"),
        ([0.0, 1.0, 0.0, 0.0], "only b"),
        ([0.4, 0.4, 0.1, 0.1], f"as over {math.exp(entropy_of([0.4, 0.4, 0.1, 0.1])):.1f} of 4"),
        ([math.nan, 0.5], "not finite"),
    ],
)
def test_how_spread_a_row_is_in_words(weights: list[float], words: str) -> None:
    assert spread_words(weights, "abcd", len(weights) - 1) == words


def test_entropy_is_0_on_one_key_and_ln_n_when_spread_evenly() -> None:
    assert math.copysign(1, entropy_of([1.0, 0.0])) == 1
    assert entropy_of([0.25] * 4) == pytest.approx(math.log(4))


@pytest.mark.parametrize("name", ["bundled", "gqa_three_layers", "whole_sequence"])
async def test_the_selected_row_stands_in_percent_per_head_and_averaged(name: str) -> None:
    pane = AttentionPane()
    async with staged(pane, name, 0.99, (120, 60)) as (_, pilot):
        trace, view = trace_of(name), pane.view
        assert view is not None
        await pilot.press("up")
        query, layer = pane._selected(view, pane._picture)[0], pane.at_layer
        lines = text_of(pane)
        at = next(i for i, line in enumerate(lines) if f"position {query + 1} “" in line)
        sequence = pane._picture.sequence
        rows = []
        for head in range(attention(trace).heads[layer]):
            row = next(r for r in attention(trace).rows[sequence, layer, head] if r.query == query)
            weights = [trace.data_at(n, view.event) for n in row.weights]
            rows.append(weights)
            line = next(x for x in lines[at + 4 :] if x.startswith(f"h{head} "))
            assert [p.strip("[]") for p in re.findall(r"\[?[<>]?\d+%\]?", line)] == [percent(w) for w in weights]
            best = next(p for p in re.findall(r"\[([<>]?\d+%)\]", line))
            assert best == percent(max(weights))
        mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
        line = next(x for x in lines[at + 4 :] if x.startswith("mean"))
        assert [p.strip("[]") for p in re.findall(r"\[?[<>]?\d+%\]?", line)] == [percent(w) for w in mean]


async def test_arcs_lead_to_the_keys_that_get_more_than_an_even_share() -> None:
    pane = AttentionPane()
    async with staged(pane, "bundled", 0.99, (120, 60)) as (_, pilot):
        await pilot.press("h")
        view, trace = pane.view, trace_of("bundled")
        assert view is not None
        query, layer, head = pane._selected(view, pane._picture)[0], pane.at_layer, pane.at_head
        row = next(r for r in attention(trace).rows[0, layer, head] if r.query == query)
        weights = [trace.data_at(n, view.event) for n in row.weights]
        lines = text_of(pane)
        at = next(i for i, line in enumerate(lines) if f"position {query + 1} “" in line)
        arcs = lines[at + 1]
        assert arcs.startswith(f"h{head}")
        tips = {i for i, c in enumerate(arcs) if c in "╭┏┬┳"}
        assert tips == {6 + k * 6 + 4 for k in range(query) if weights[k] >= 1 / len(weights)}


async def test_u_changes_between_the_rows_own_scale_and_the_absolute_one() -> None:
    pane = AttentionPane()
    async with staged(pane, "bundled", 0.99, (120, 60)) as (_, pilot):
        assert "its row's largest" in text_of(pane)[0]

        def colors() -> set[str]:
            view = pane.view
            assert view is not None
            line = pane.line_at(view, pane.content_width, 8)
            return {s.style.bgcolor.name for s in line if s.style and s.style.bgcolor and not s.text.strip()}

        by_row = colors()
        await pilot.press("u")
        assert "its row's largest" not in text_of(pane)[0]
        assert "row [0…1]" in text_of(pane)[0]
        absolute = colors()
        assert len(by_row) > len(absolute), "an even row is told apart only by its own scale"
        await pilot.press("u")
        assert colors() == by_row
