"""Distributions, targets, draws, vocabularies and the logit lens, in scripts of many shapes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgpt_tui.recognise.activations import activations
from microgpt_tui.recognise.residual import lens, stream
from microgpt_tui.recognise.tokens import probability_values, tokens, what_if
from microgpt_tui.recognise.training import texts
from microgpt_tui.recognise.vocabulary import proved, vocabulary
from microgpt_tui.trace.trace import Program
from tests.views_fixtures import Weights, bundled_forward, grouped_forward, session, trace_of

TEXTS = {
    "closures_set": "stoi",
    "closures_tuple": "stoi",
    "gqa_three_layers": "CODE",
    "mixture": "alphabet",
    "mlp_only": "index",
    "scalar_main": "encode",
    "whole_sequence": "ids",
    "bundled": "uchars",
}
"""Script -> the name of what its vocabulary is read from."""


@pytest.mark.parametrize("name", TEXTS)
def test_each_target_is_the_next_token_and_the_losses_make_up_the_loss(name: str) -> None:
    trace = trace_of(name)
    found = tokens(trace)
    assert found.vocabulary.source == TEXTS[name]
    with_target = [d for d in found.distributions if d.target >= 0]
    assert with_target
    for d in with_target:
        probabilities = probability_values(trace, d)
        assert len(probabilities) == found.size
        assert trace.data_at(d.loss, len(trace)) == pytest.approx(-math.log(probabilities[d.target]), rel=1e-9)
        after = [p.token for p in found.positions if (p.sequence, p.position) == (d.sequence, d.position + 1)]
        assert not after or after[0] == d.target
    if name not in ("gqa_three_layers", "closures_set"):  # these weigh or split their losses
        mean = sum(trace.data_at(d.loss, len(trace)) for d in with_target) / len(with_target)
        assert trace.loss() == pytest.approx(mean, rel=1e-9)


def test_probabilities_equal_the_model_computed_in_plain_floats() -> None:
    trace = trace_of("bundled")
    found = tokens(trace)
    _, expected = bundled_forward(Weights(trace), [p.token for p in found.positions])
    for d, wanted in zip(found.distributions, expected, strict=True):
        assert probability_values(trace, d) == pytest.approx(wanted, rel=1e-12)


def test_a_tied_head_and_scores_of_unscored_positions_equal_plain_floats() -> None:
    trace = trace_of("gqa_three_layers")
    found = tokens(trace)
    for sequence in range(2):
        own = [d for d in found.distributions if d.sequence == sequence]
        _, expected = grouped_forward(Weights(trace), found.text(sequence))
        assert [d.position for d in own] == list(range(len(own)))
        assert [d.target >= 0 for d in own] == [False] * 3 + [True] * (len(own) - 3)
        for d, wanted in zip(own, expected, strict=True):
            assert probability_values(trace, d) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("name", ["bundled", "closures_set"])
def test_a_draw_falls_on_the_token_that_was_chosen(name: str) -> None:
    trace = trace_of(name, sample=True)
    found = tokens(trace)
    drawn = [d for d in found.distributions if d.draw is not None]
    assert len(drawn) == len(found.distributions) == len(trace.sample_event)
    for d, following in zip(drawn, [*drawn[1:], None], strict=True):
        draw = d.draw
        assert draw is not None
        probabilities = probability_values(trace, d)
        assert list(draw.weights) == probabilities
        assert sum(probabilities[: draw.token]) <= draw.draw * sum(probabilities) + 1e-12
        assert draw.draw * sum(probabilities) < sum(probabilities[: draw.token + 1]) + 1e-12
        assert following is None or following.token == draw.token


def test_a_temperature_is_told_from_the_logits_it_divides() -> None:
    trace = trace_of("bundled", sample=True)
    d = tokens(trace).distributions[0]
    raw, scaled = (trace.data_at(nodes[0], len(trace)) for nodes in (d.logits, d.scaled))
    assert scaled == pytest.approx(raw / 0.5)


def test_the_sample_is_the_text_that_the_script_prints() -> None:
    debugger = session("bundled", sample=True)
    trace = trace_of("bundled", sample=True)
    printed = debugger.process.output(0).decode().split("sample  1: ")[1].split("\n")[0]
    assert texts(trace).texts[0].strip("·") == printed


@pytest.mark.parametrize(
    "name", ["bundled", "closures_set", "gqa_three_layers", "mixture", "scalar_main", "whole_sequence"]
)
def test_the_lens_at_the_last_stage_is_the_script_s_own_logits(name: str) -> None:
    trace = trace_of(name)
    for d in tokens(trace).distributions[:3]:
        below = stream(trace, d)
        assert below is not None
        own = [trace.data_at(n, len(trace)) for n in d.logits]
        assert lens(trace, below, below.stages[-1]) == pytest.approx(own, rel=1e-9, abs=1e-12)


def test_the_residual_stream_has_a_stage_per_block() -> None:
    trace = trace_of("gqa_three_layers")
    below = stream(trace, tokens(trace).distributions[4])
    assert below is not None
    labels = [s.label for s in below.stages]
    assert labels == ["embedding"] + [f"after {what} {i}" for i in range(3) for what in ("attention", "MLP")]
    last, before = below.stages[-1], below.stages[-2]
    a, b = ([trace.data_at(n, len(trace)) for n in s.nodes] for s in (last, before))
    assert last.norm == pytest.approx(math.hypot(*a))
    assert last.added == pytest.approx(math.dist(a, b))
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    assert last.cosine == pytest.approx(dot / math.hypot(*a) / math.hypot(*b))


def test_a_dead_rectifier_is_zero_at_every_position() -> None:
    trace = trace_of("bundled")
    (found,) = activations(trace, len(trace))
    relu = trace.ops.index("relu")
    results = [trace.data[i] for i, op in enumerate(trace.op) if op == relu]
    by_unit = [results[i::64] for i in range(64)]
    assert found.units == 64
    assert found.flat == results.count(0) / len(results)
    assert found.dead == sum(all(v == 0 for v in unit) for unit in by_unit)


def test_saturation_of_tanh_and_sigmoid_is_told_from_what_they_compute() -> None:
    trace = trace_of("closures_tuple")
    found = {a.name.split(" ")[0]: a for a in activations(trace, len(trace))}
    assert set(found) == {"tanh", "sigmoid"}
    assert not any(a.rectifies for a in found.values())
    tanh = trace.ops.index("tanh")
    results = [trace.data[i] for i, op in enumerate(trace.op) if op == tanh]
    assert found["tanh"].flat == sum(abs(r) > 0.97 for r in results) / len(results)


def test_a_script_without_softmax_rows_of_attention_still_has_its_tokens() -> None:
    trace = trace_of("mlp_only")
    found = tokens(trace)
    assert [found.vocabulary.short(p.token) for p in found.positions[:3]] == [".", *found_text(trace)[:2]]


def found_text(trace: object) -> str:
    assert hasattr(trace, "program")
    found = tokens(trace)  # type: ignore[arg-type]  # narrowed by the caller
    return "".join(found.vocabulary.short(d.target) for d in found.distributions)


def test_vocabularies_mappings_before_lists_and_a_missing_id_is_special() -> None:
    program = Program(namespace={"letters": ["a", "b"], "stoi": {"keys": ["a", "b"], "values": [1, 2]}})
    found = vocabulary(program, 3)
    assert [found.short(i) for i in range(3)] == ["·", "a", "b"]
    assert vocabulary(Program(namespace={"n": 3}), 3).source == ""


def test_a_token_without_a_known_text_is_shown_by_its_number_and_a_long_text_whole() -> None:
    nothing = vocabulary(Program(), 30)
    assert (nothing.short(22), nothing.cell(22)) == ("#22", "#")
    pieces = vocabulary(Program(namespace={"pieces": ["an", "na", "\n", "b"]}), 5)
    assert [pieces.short(i) for i in range(5)] == ["an", "na", "\\n", "b", "·"]
    assert [pieces.cell(i) for i in range(5)] == ["▪", "▪", "▪", "b", "·"]


def test_computed_letters_are_shown_only_where_they_spell_a_text_of_the_script() -> None:
    program = Program(namespace={"docs": ["oboe", "lute"]})
    boundary, lute = 26, [11, 20, 19, 4]
    found = proved(program, 27, [[boundary, *lute]], [])
    assert found is not None
    assert found.source == "chr(97 + id)"
    assert [found.short(i) for i in (0, 25, boundary)] == ["a", "z", "·"]
    assert proved(program, 27, [[boundary, *lute[::-1]]], []) is None
    assert proved(program, 27, [[boundary, *lute], [boundary, 1, 2, 3]], []) is None
    codes = Program(namespace={"table": sorted(set(b"lute")), "docs": ["lute"]})
    by_table = proved(codes, 5, [[4, 1, 3, 2, 0]], [])
    assert by_table is not None
    assert [by_table.short(i) for i in range(5)] == ["e", "l", "t", "u", "·"]


logits = st.lists(st.floats(-30, 30), min_size=2, max_size=40)


@given(logits, st.floats(0.05, 5), st.integers(0, 50), st.floats(0.01, 1))
def test_what_if_is_a_distribution_over_the_likeliest(values: list[float], t: float, k: int, p: float) -> None:
    shares = what_if(values, t, k, p)
    assert sum(shares) == pytest.approx(1)
    kept = [v for v, s in zip(values, shares, strict=True) if s > 0]
    if k:
        assert len(kept) <= k
    assert max(kept) == pytest.approx(max(values))


@given(logits)
def test_what_if_with_nothing_changed_is_softmax(values: list[float]) -> None:
    top = max(values)
    total = sum(math.exp(v - top) for v in values)
    assert what_if(values) == pytest.approx([math.exp(v - top) / total for v in values])
