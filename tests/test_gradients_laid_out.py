"""The writes of gradients, laid out from the order of propagation, are the script's own numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from snippets import PRELUDE

from microgpt_tui.protocol.goals import End
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch

TRAINING = """
from fractions import Fraction
for step in range(4):
    loss = sum((v * v + 3) for v in w) * {scale}
    {before}
    loss.backward()
    print(*[float(p.grad) for p in w])
    for p in w:
        p.data -= 0.125 * float(p.grad)
        p.grad = {zero}
"""
CASES = {
    "floats": ("0.5", "pass", "0"),
    "ints all the way": ("1", "pass", "7"),
    "ints too long for a double": ("(2**60+1)", "pass", "0"),
    "fractions as local gradients": ("Fraction(1, 3)", "pass", "0"),
    "a fraction to begin with": ("2", "pass", "Fraction(1, 3)"),
    "infinities": ("1e300 * 1e10", "pass", "0.0"),
    "NaN": ("float('nan')", "pass", "0"),
    "zeros of both signs": ("-0.0", "pass", "-0.0"),
    "local gradients altered after the forward pass": ("0.5", "loss._local_grads = (3.0, 4.0)", "0"),
    "operands taken away": ("0.5", "loss._children = ()", "0"),
    "a local gradient missing": ("0.5", "loss._local_grads = (1,)", "0"),
    "local gradients in a list": ("0.5", "loss._local_grads = [0.25, 2]", "0"),
}


@pytest.mark.parametrize("case", CASES)
def test_grads_are_the_scripts_own(case: str, tmp_path: Path) -> None:
    scale, before, zero = CASES[case]
    script = tmp_path / "script.py"
    script.write_text(PRELUDE + TRAINING.format(scale=scale, before=before, zero=zero), encoding="utf-8")
    debugger = Debugger(Launch(script, goal=End(audit=True)))
    try:
        debugger.wait()
        history = debugger.history
        assert [fault for s in history.summaries for fault in s.audit_faults] == []
        printed = debugger.process.output(0).decode().splitlines()
        steps = [t for t in history.traces.values() if t.episode_kind == "step"]
        assert len(steps) == len(printed) == 4
        for trace, line in zip(steps, printed, strict=True):
            assert len(trace.target) == len(trace.after) == len(trace.write_event)
            end = trace.update_event[0] - 1
            assert [repr(trace.grad_at(node, end)) for node in trace.program.kept] == line.split()
    finally:
        debugger.close()
