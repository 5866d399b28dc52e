"""Attention is found by what it is: softmax rows over positions of dot products of computed vectors."""

from __future__ import annotations

import math

import pytest

from microgpt_tui.recognise.attention import attention, open_cell
from microgpt_tui.recognise.softmax import softmaxes
from microgpt_tui.recognise.tokens import key_tokens, tokens
from microgpt_tui.trace.trace import Trace
from tests.views_fixtures import (
    Weights,
    bound,
    bundled_forward,
    grouped_forward,
    session,
    trace_of,
)

SHAPES = {
    "bundled": (4,),
    "closures_set": (2,),
    "closures_tuple": (2,),
    "gqa_three_layers": (4, 4, 4),
    "mixture": (2, 2),
    "mlp_only": (),
    "scalar_main": (2,),
    "whole_sequence": (2, 2),
}
"""Script -> heads per layer, as its source says."""
NAMES_OF_WEIGHTS = {
    "bundled": "attn_weights",
    "closures_set": "attn_weights",
    "closures_tuple": "attn_weights",
    "gqa_three_layers": "att",
    "mixture": "attn_weights",
    "scalar_main": "pattern",
}


def values(trace: Trace, nodes: tuple[int, ...]) -> list[float]:
    return [trace.data_at(n, len(trace)) for n in nodes]


@pytest.mark.parametrize("name", SHAPES)
def test_layers_and_heads_are_those_of_the_source(name: str) -> None:
    assert attention(trace_of(name)).heads == SHAPES[name]


@pytest.mark.parametrize(("name", "variable"), NAMES_OF_WEIGHTS.items())
def test_the_rows_are_the_lists_that_the_script_itself_calls_its_attention_weights(name: str, variable: str) -> None:
    """Nothing more and nothing less: a gate and a mixture of depths are not among them."""
    trace = trace_of(name)
    found = {row.weights for rows in attention(trace).rows.values() for row in rows}
    assert found == set(bound(trace, variable))


def test_a_gate_and_a_blend_of_depths_are_seen_but_are_no_attention() -> None:
    trace = trace_of("mixture")
    mine = {row.weights for rows in attention(trace).rows.values() for row in rows}
    gates = set(bound(trace, "gate_weights")) | set(bound(trace, "depth_weights"))
    all_rows = {row.weights for row in softmaxes(trace)}
    assert gates
    assert gates <= all_rows
    assert not gates & mine


def test_weights_equal_the_model_computed_in_plain_floats() -> None:
    trace = trace_of("bundled")
    found = attention(trace)
    ids = [p.token for p in tokens(trace).positions]
    expected, _ = bundled_forward(Weights(trace), ids)
    for head in range(4):
        rows = found.rows[(0, 0, head)]
        assert [r.query for r in rows] == list(range(len(ids)))
        for row, wanted in zip(rows, expected[head], strict=True):
            assert row.keys == range(row.query + 1)
            assert values(trace, row.weights) == pytest.approx(wanted, rel=1e-12)


def test_grouped_queries_in_three_layers_and_two_texts_equal_plain_floats() -> None:
    trace = trace_of("gqa_three_layers")
    found = attention(trace)
    assert found.sequences == 2
    for sequence in range(2):
        ids = key_tokens(trace, sequence)
        expected, _ = grouped_forward(Weights(trace), ids)
        for (layer, head), wanted in expected.items():
            rows = found.rows[(sequence, layer, head)]
            assert [values(trace, r.weights) for r in rows] == [pytest.approx(w, rel=1e-12) for w in wanted]


def test_a_whole_sequence_forward_gives_square_tables_with_the_future_masked() -> None:
    trace = trace_of("whole_sequence")
    found = attention(trace)
    length = found.length(0)
    assert length == len(key_tokens(trace, 0)) == 8
    for rows in found.rows.values():
        assert [r.query for r in rows] == list(range(length))
        for row in rows:
            numbers = values(trace, row.weights)
            assert row.keys == range(length)
            assert sum(numbers) == pytest.approx(1)
            assert numbers[row.query + 1 :] == [0.0] * (length - row.query - 1)


@pytest.mark.parametrize("name", [n for n in SHAPES if SHAPES[n]])
def test_an_opened_cell_adds_up_at_every_stage(name: str) -> None:
    """q·k per dimension, its scale, softmax, and the blend of the values: each equals a sum made here."""
    trace = trace_of(name)
    at = len(trace)
    data = trace.data_at
    for row in [rows[-1] for rows in attention(trace).rows.values()]:
        cells = [open_cell(trace, row, column) for column in range(len(row.weights))]
        for cell in cells:
            assert len(cell.query) == len(cell.key) == len(cell.values) == len(cell.output)
            product = sum(data(q, at) * data(k, at) for q, k in zip(cell.query, cell.key, strict=True))
            assert data(cell.sum, at) == pytest.approx(product, rel=1e-12)
            assert data(cell.score, at) == pytest.approx(product / math.sqrt(len(cell.query)), rel=1e-12)
            assert data(cell.weight, at) == pytest.approx(data(cell.exp, at) / data(cell.total, at), rel=1e-12)
        for j, node in enumerate(cells[0].output):
            blend = sum(data(c.weight, at) * data(c.values[j], at) for c in cells)
            assert data(node, at) == pytest.approx(blend, rel=1e-12)
        assert len({c.query for c in cells}) == 1, "one query looks at all keys"
        assert len({c.key for c in cells}) == len(cells)


@pytest.mark.parametrize("name", ["bundled", "closures_set"])
def test_in_sampling_too(name: str) -> None:
    trace = trace_of(name, sample=True)
    found = attention(trace)
    assert found.heads == SHAPES[name]
    assert found.length(0) == len(tokens(trace).positions)


def test_characters_on_the_axes_are_the_text_that_went_in() -> None:
    trace = trace_of("bundled")
    vocabulary = tokens(trace).vocabulary
    doc = bound_text(trace, "doc")
    assert "".join(map(vocabulary.short, key_tokens(trace, 0))) == ("·" + doc)[: attention(trace).length(0)]


def bound_text(trace: Trace, name: str) -> str:
    row = next(r for r, s in enumerate(trace.bind_site) if trace.program.site(s).name == name)
    return trace.texts[trace.bind_start[row]]


def test_while_stepping_the_answer_grows_and_equals_that_from_scratch() -> None:
    """Recognition follows the live frontier: after any number of steps it knows what a fresh look would find."""
    debugger = session("gqa_three_layers", sample=True)
    for _ in range(2):
        debugger.next_iteration()
        debugger.wait()
        for _ in range(40):
            debugger.step()
            debugger.wait()
            trace = debugger.history.newest
            assert trace is not None
            grown, told = attention(trace), tokens(trace)
    fresh = Trace(trace.program, trace.index, trace.episode_kind, trace.number, trace.setup)
    fresh.__dict__.update({k: v for k, v in trace.__dict__.items() if not k.startswith("_recognise")})
    assert attention(fresh).rows == grown.rows
    assert attention(fresh).heads == grown.heads == (4, 4, 4)
    assert tokens(fresh) == told
