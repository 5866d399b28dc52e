"""Weights, gradients and the optimizer's buffers at any moment equal what the script itself had then."""

from __future__ import annotations

import math
import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgpt_tui.recognise.training import norm, running_mean, speed
from microgpt_tui.recognise.weights import Timeline, meaning, parameters, places, statistics
from tests.views_fixtures import session, trace_of

writes = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4), st.floats(-9, 9)), max_size=30)


@given(writes, st.lists(st.integers(-1, 31), min_size=1, max_size=20))
def test_a_timeline_is_the_last_write_before_the_moment_wherever_one_comes_from(
    found: list[tuple[int, int, float]], moments: list[int]
) -> None:
    found = sorted(found, key=lambda w: w[0])
    timeline = Timeline(array("d", range(5)))
    for write in found:
        timeline.add(*write)
    for moment in moments:
        expected = [float(i) for i in range(5)]
        for event, position, value in found:
            if event <= moment:
                expected[position] = value
        assert list(timeline.at(moment)) == expected


@pytest.mark.parametrize("name", ["bundled", "closures_set", "gqa_three_layers", "scalar_main", "whole_sequence"])
def test_data_and_grad_equal_the_trace_s_own_answer_at_random_moments(name: str) -> None:
    trace = trace_of(name)
    own = parameters(trace)
    chance = random.Random(3)
    kept = trace.program.kept
    for event in [0, len(trace) - 1, *(chance.randrange(len(trace)) for _ in range(12)), 0]:
        data, grad = own.data.at(event), own.grad.at(event)
        for place in chance.sample(range(len(kept)), 25):
            assert data[place] == trace.data_at(kept[place], event)
            assert grad[place] == trace.grad_at(kept[place], event)


@pytest.mark.parametrize("name", ["bundled", "whole_sequence", "mixture"])
def test_after_the_step_the_weights_are_those_that_the_history_keeps(name: str) -> None:
    trace = trace_of(name)
    summary = next(s for s in session(name).history.steps if s.index == trace.index)
    assert summary.data is not None
    assert parameters(trace).data.at(len(trace)).tobytes() == summary.data.tobytes()


def test_adam_s_means_equal_those_computed_from_the_gradients() -> None:
    trace = trace_of("bundled")
    own = parameters(trace)
    seed = trace.phase_spans[-1][0] - 1
    gradients = list(own.grad.at(seed))
    last = len(trace)
    assert set(own.buffers) == {"grad_avg", "sq_avg"}
    assert list(own.buffers["grad_avg"].at(0)) == [0.0] * len(gradients)
    for i, g in enumerate(gradients):
        assert own.buffers["grad_avg"].at(last)[i] == 0.85 * 0.0 + (1 - 0.85) * g
        assert own.buffers["sq_avg"].at(last)[i] == 0.99 * 0.0 + (1 - 0.99) * g**2


def test_a_buffer_belongs_to_the_parameter_that_it_updates_not_to_the_one_made_then() -> None:
    """whole_sequence lists its parameters in another order than it makes them."""
    trace = trace_of("whole_sequence")
    own = parameters(trace)
    gradients = list(own.grad.at(trace.phase_spans[-1][0] - 1))
    means = own.buffers["exp_avg"].at(len(trace))
    assert list(means) == pytest.approx([(1 - 0.9) * g for g in gradients], rel=1e-12)
    assert list(trace.updated) != sorted(trace.updated), "or the order would not matter"


def test_rows_and_columns_are_named_by_what_reads_them() -> None:
    trace = trace_of("bundled")
    found = {m.name: meaning(trace, i) for i, m in enumerate(trace.program.matrices)}
    assert found["wte"].role == "token embedding"
    assert (found["wpe"].row, found["wpe"].role) == ("position", "position embedding")
    assert found["lm_head"].role == "output layer"
    assert [found[f"layer0.attn_w{x}"].role for x in "qkv"] == [f"{w} of layer 0" for w in ("query", "key", "value")]
    assert found["layer0.mlp_fc1"].row == "neuron"
    assert found["layer0.mlp_fc2"].column == "neuron"


def test_names_do_not_matter_and_a_tied_head_is_both() -> None:
    trace = trace_of("gqa_three_layers")
    found = {m.name: meaning(trace, i) for i, m in enumerate(trace.program.matrices)}
    assert found["emb"].role == "embedding, also the output layer"
    assert [found[f"blocks[2].W{x}"].role for x in "qkv"] == [f"{w} of layer 2" for w in ("query", "key", "value")]


numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200)


@given(numbers)
def test_statistics_are_those_of_the_numbers(values: list[float]) -> None:
    found = statistics(values)
    assert (found.low, found.high) == (min(values), max(values))
    assert found.mean == pytest.approx(sum(values) / len(values))
    assert found.norm == pytest.approx(math.hypot(*values))
    assert sum(found.histogram) == len(values)


def test_statistics_leave_out_what_is_no_number_and_say_so() -> None:
    found = statistics([1.0, math.nan, -2.0, math.inf])
    assert (found.low, found.high, found.odd) == (-2.0, 1.0, 2)


@given(numbers, st.integers(1, 50))
def test_the_running_mean_is_the_mean_of_the_window(values: list[float], window: int) -> None:
    found = running_mean(values, window)
    for i, mean in enumerate(found):
        part = values[max(0, i - window + 1) : i + 1]
        assert mean == pytest.approx(sum(part) / len(part), rel=1e-6, abs=1e-6)


def test_a_gradient_norm_is_that_of_the_matrix_s_part() -> None:
    trace = trace_of("bundled")
    summary = next(s for s in session("bundled").history.steps if s.index == trace.index)
    matrix = trace.program.matrices[3]
    end = next(first for first, _, phase in trace.phase_spans if phase == 3) - 1
    expected = math.hypot(*(trace.grad_at(n, end) for n in matrix.nodes))
    assert norm(trace, matrix, summary.grad) == pytest.approx(expected, rel=1e-6)
    assert [trace.program.kept[i] for i in places(trace, matrix)] == list(matrix.nodes)


def test_time_left_follows_the_newest_steps() -> None:
    found = speed([9.0] * 50 + [0.5] * 32, 82, 100)
    assert found is not None
    assert (found.seconds, found.left) == (0.5, 9.0)
    assert speed([], 0, 100) is None
