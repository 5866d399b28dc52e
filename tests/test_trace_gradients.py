"""Gradients at every moment: against an independent reverse-mode check, and against the script's own."""

from __future__ import annotations

import math
import struct

import pytest
from support import NAMES, SAMPLES, Session, record

from microgpt_tui.protocol.codes import ACCUMULATE, ASSIGN, CONSTANT_OP, CREATE, UPDATE, ZERO
from microgpt_tui.trace.formula import known_locals, local_gradients
from microgpt_tui.trace.ledger import adds_up, ledger
from microgpt_tui.trace.trace import Trace


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


def reverse_mode(trace: Trace, loss: int) -> dict[int, float]:
    """d loss / d node for every node below the loss, by the chain rule over calculus' own local gradients.

    Written from the edges alone: no recorded gradient is used, and nodes are visited by their number, not as the
    script visits them.
    """
    grads = {loss: 1.0}
    pending = {loss}
    order: list[int] = []
    while pending:  # a node's operands are older than the node
        node = max(pending)
        pending.discard(node)
        order.append(node)
        if node >= trace.first_node and trace.born_at(node) >= 0:
            pending.update(trace.children(node))
    for node in order:
        if trace.born_at(node) < 0:
            continue
        children = list(trace.children(node))
        at = trace.born_at(node)
        values = [trace.data_at(c, at) for c in children]
        factors = known_locals(trace.op_name(node), values, trace.operands.get(node, ()))
        if factors is None:  # an operation of the script's own: calculus has no rule for it here
            told = (factor for factor, _ in local_gradients(trace, node, len(trace) - 1))
            factors = tuple(0.0 if math.isnan(f) else f for f in told)  # max hands nothing to the smaller one
        for child, factor in zip(children, factors, strict=True):
            grads[child] = grads.get(child, 0.0) + factor * grads[node]
    return grads


def test_final_gradients_equal_reverse_mode(recorded: Session) -> None:
    trace = recorded.step
    losses = list(dict.fromkeys(trace.target[row] for row in trace.seeds()))
    if len(losses) > 1:
        pytest.skip("several backward passes over one graph: their gradients add up twice, as the script wants it")
    if not recorded.debugger.history.program.ordered_children:
        pytest.skip("operands in a set: x*x shows one operand")
    expected = reverse_mode(trace, losses[0])
    end = len(trace) - 1 - trace.kind[::-1].index(ACCUMULATE)  # before a script clips them
    assert len(expected) > 1000
    for node, value in expected.items():
        assert trace.grad_at(node, end) == pytest.approx(value, rel=1e-9, abs=1e-12), trace.op_name(node)


def test_gradients_in_the_middle_of_the_pass_are_the_sums_so_far(recorded: Session) -> None:
    trace = recorded.step
    sums: dict[int, float] = {node: trace.start_grad_of(node) for node in trace.program.kept}
    checkpoints = set(range(0, len(trace), max(1, len(trace) // 40)))
    for event in range(len(trace)):
        kind, row = trace.kind[event], trace.row[event]
        if kind == ACCUMULATE:
            target = trace.target[row]
            sums[target] = sums.get(target, trace.start_grad_of(target)) + trace.delta[row]
        elif kind in (ASSIGN, ZERO):
            sums[trace.target[row]] = trace.after[row]
        if event in checkpoints:
            for node in list(sums)[:: max(1, len(sums) // 50)]:
                assert bits(trace.grad_at(node, event)) == bits(sums[node])


def test_every_ledger_adds_up_to_the_last_bit(recorded: Session) -> None:
    trace = recorded.step
    nodes = sorted(set(trace.target))
    assert nodes
    for node in nodes[:: max(1, len(nodes) // 2000)]:
        assert adds_up(trace, node)


def test_a_contribution_is_the_local_gradient_times_the_upstream(recorded: Session) -> None:
    trace = recorded.step
    nodes = sorted(set(trace.target))
    checked = 0
    for node in nodes[:: max(1, len(nodes) // 500)]:
        for entry in ledger(trace, node, len(trace) - 1):
            if entry.kind == ACCUMULATE and entry.source >= 0 and not math.isnan(entry.factor):
                assert bits(entry.factor * entry.upstream) == bits(entry.delta)
                checked += 1
    assert checked > 100


def test_local_gradients_are_calculus(recorded: Session) -> None:
    trace = recorded.step
    checked = 0
    for node in range(trace.first_node, trace.end_node, 7):
        children = list(trace.children(node))
        stored = list(trace.locals(node))
        if not children or any(map(math.isnan, stored)):
            continue
        values = [trace.data_at(c, trace.born_at(node)) for c in children]
        known = known_locals(trace.op_name(node), values, trace.operands.get(node, ()))
        if known is not None and len(known) == len(stored):
            assert stored == pytest.approx(known, rel=1e-12)
            checked += 1
    kept = any(not math.isnan(x) for x in trace.local)
    assert checked > 100 or not kept


_COMPUTE = {
    "add": lambda a, b: a + b, "mul": lambda a, b: a * b, "sub": lambda a, b: a - b, "neg": lambda a: -a,
    "truediv": lambda a, b: a / b, "exp": math.exp, "log": math.log, "tanh": math.tanh,
    "relu": lambda a: max(0, a), "reciprocal": lambda a: 1.0 / a, "sqrt": math.sqrt,
}  # fmt: skip


def test_every_operation_can_be_computed_again_from_its_record(recorded: Session) -> None:
    trace = recorded.step
    ordered = recorded.debugger.history.program.ordered_children
    checked = 0
    for node in range(trace.first_node, trace.end_node):
        op, at = trace.op_name(node), trace.born_at(node)
        children = list(trace.children(node))
        if at < 0 or not children or op == CONSTANT_OP:
            continue
        values = [trace.data_at(c, at) for c in children]
        plain = trace.operands.get(node, ())
        if op == "pow" and len(values) == 1:
            assert plain, "the exponent is a plain number: recorded beside the operands"
            result = values[0] ** plain[0]
        elif op in _COMPUTE and (ordered or (len(values) == 1 and op not in ("add", "mul"))):
            result = _COMPUTE[op](*values)  # type: ignore[operator]  # functions of one or two numbers
        else:
            continue
        assert bits(float(result)) == bits(trace.data_at(node, at)), f"{op} of {values}"
        checked += 1
    assert checked > (1000 if ordered else 100)


def test_data_at_a_moment_is_what_a_replay_gives(recorded: Session) -> None:
    trace = recorded.step
    now: dict[int, float] = dict(zip(trace.program.kept, trace.start_data, strict=True))
    checkpoints = set(range(0, len(trace), max(1, len(trace) // 40)))
    for event in range(len(trace)):
        kind, row = trace.kind[event], trace.row[event]
        if kind == CREATE:
            now[trace.first_node + row] = trace.data[row]
        elif kind == UPDATE:
            node = trace.updated[row]
            assert bits(trace.old[row]) == bits(now[node])
            now[node] = trace.new[row]
        if event in checkpoints:
            for node in list(now)[:: max(1, len(now) // 50)]:
                assert bits(trace.data_at(node, event)) == bits(now[node])
    last = trace.end_node - 1
    assert math.isnan(trace.data_at(last, trace.born_at(last) - 1)), "not made yet"


def test_parameters_after_the_step_are_those_of_the_summary(recorded: Session) -> None:
    trace, history = recorded.step, recorded.debugger.history
    summary = history.steps[0]
    assert summary.data is not None
    assert [trace.data_at(node, len(trace) - 1) for node in history.program.kept] == list(summary.data)
    assert trace.loss() == pytest.approx(summary.loss or 0.0, rel=1e-15)


def test_gradients_that_a_script_clips_are_assignments(tmp_path: object) -> None:
    """Bugs are shown as they are: a forgotten zeroing leaves the old gradient at the start of the next step."""
    session = record(SAMPLES / "bugs" / "forgotten_zeroing.py", steps=2, data=NAMES)
    try:
        steps = [t for t in session.debugger.history.traces.values() if t.episode_kind == "step" and len(t)]
        second = steps[1]
        carried = [n for n in second.program.kept if second.start_grad_of(n) != 0]
        assert carried
        node = carried[0]
        first = steps[0]
        assert bits(second.start_grad_of(node)) == bits(first.grad_at(node, len(first) - 1))
        assert adds_up(second, node)
    finally:
        session.debugger.close()
