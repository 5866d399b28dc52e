"""What happened, in words: every event has its sentence, and the sentence is true."""

from __future__ import annotations

import pytest
from views_fixtures import trace_of

from microgpt_tui.narrate import story
from microgpt_tui.narrate.words import number
from microgpt_tui.protocol.codes import ACCUMULATE, CREATE, EVENT_NAMES
from microgpt_tui.trace.names import name
from microgpt_tui.trace.trace import Trace


def told(trace: Trace, kind: int, op: str) -> list[str]:
    """The sentences of the operations (or of what they propagate) of one name."""
    found = []
    for event in range(len(trace)):
        if trace.kind[event] == kind:
            by = trace.node_of(event) if kind == CREATE else trace.source[trace.row[event]]
            if by >= 0 and trace.op_name(by) == op:
                found.append(story(trace, event).what)
    return found


@pytest.mark.parametrize(
    ("name", "sample"),
    [("bundled", False), ("bundled", True), ("closures_set", False), ("scalar_main", False),
     ("gqa_three_layers", False), ("mixture", False)],
)  # fmt: skip
def test_every_event_of_every_phase_has_its_sentence(name: str, sample: bool) -> None:
    trace = trace_of(name, sample)
    kinds = set()
    stride = max(1, len(trace) // 2500)
    first = [trace.kind.index(kind) for kind in set(trace.kind)]
    for event in {*range(0, len(trace), stride), *first, len(trace) - 1}:
        said = story(trace, event)
        assert said.what.endswith("."), said
        assert "nan" not in said.what, (event, said)
        assert "?" not in said.what, (event, said)
        assert "__" not in said.what, said
        kinds.add(EVENT_NAMES[trace.kind[event]])
    assert kinds == {EVENT_NAMES[k] for k in set(trace.kind)}


def test_a_product_a_sum_and_what_they_are_for() -> None:
    trace = trace_of("bundled")
    products = told(trace, CREATE, "mul")
    assert any(s.startswith("× multiplies layer0.attn_wq[0][0] by x[0]: ") for s in products)
    row = next(
        e for e in range(len(trace))
        if trace.kind[e] == CREATE and name(trace, trace.node_of(e)) == "q[3] up to term 5"
    )  # fmt: skip
    left, right = (trace.data_at(c, row) for c in trace.children(trace.node_of(row)))
    made = trace.data_at(trace.node_of(row), row)
    expected = f"+ adds term 5 of 16 to the sum q[3]: {number(left)} + {number(right)} = {number(made)}."
    assert story(trace, row).what == expected


def test_the_chain_rule_is_told_with_the_numbers_of_the_moment() -> None:
    trace = trace_of("bundled")
    event = next(
        e for e in range(len(trace))
        if trace.kind[e] == ACCUMULATE and trace.op_name(trace.source[trace.row[e]]) == "mul"
        and name(trace, trace.target[trace.row[e]]) == "q[3]"
    )  # fmt: skip
    row = trace.row[event]
    upstream = trace.grad_at(trace.source[row], event - 1)
    said = story(trace, event)
    assert said.what.startswith("A product passes its gradient on times the other factor, k[3] (pos_id=")
    sums = f"{number(upstream)} × {number(trace.factor[row])} = {number(trace.delta[row])} goes to q[3]"
    assert sums in said.what
    assert said.why.startswith(f"The gradient there is {number(trace.after[row])} so far: 1 of ")


def test_relu_says_which_way_it_went() -> None:
    trace = trace_of("bundled")
    assert {s.partition(" x[")[0] for s in told(trace, CREATE, "relu")} == {"relu lets", "relu makes"}
    passes = told(trace, ACCUMULATE, "relu")
    assert any(s.startswith("relu stops the gradient: its operand was not above 0: ") for s in passes)
    assert any(s.startswith("relu lets the gradient pass: its operand was above 0: ") for s in passes)


def test_a_wrong_derivative_is_not_told_as_the_rule() -> None:
    trace = trace_of("wrong_local_grad")
    said = [story(trace, e).what for e in range(len(trace)) if trace.kind[e] == ACCUMULATE]
    assert any("times the derivative that the script gives it, while calculus has " in s for s in said)


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.0, "3"), (0.0, "0"), (0.25, "0.25"), (0.99999, "0.99999"), (-1234.5678, "-1234.57"), (1e-7, "1e-07"),
     (float("nan"), "nan"), (float("-inf"), "-infinity"), (123456.0, "123,456"), (2.0000001, "2.0000001")],
)  # fmt: skip
def test_a_number_never_reads_as_another_whole_one(value: float, text: str) -> None:
    assert number(value) == text
