"""What an episode was made of, counted from its raw log, is what encoding it gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from snippets import ALONE, PRELUDE, SNIPPETS
from support import NAMES, SAMPLES

from microgpt_tui.protocol.codes import EVENT_NAMES
from microgpt_tui.protocol.goals import End, Steps
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch

ODD = """
class Leaf(Value):
    __slots__ = ()

loss = Leaf(2.0) * w[0] + w[1] ** 2
loss.backward()
w[0].grad = -0.0
w[1].grad = "none"
w[2].grad += loss.grad * 3
def propagate():
    for v in (w[0], loss, None):
        for child, local in zip(v._children, v._local_grads):
            child.grad += local * v.grad
try:
    propagate()
except AttributeError:
    print("no node")
show(loss, Leaf(1) + 1)
"""
"""A subclass, zeros of every sign, a loop over nodes that is left by an exception, nodes made after it."""

RENEWED = "\nrandom.seed(1)\nw = [Value(random.gauss(0, 1)) for _ in range(4)]\n"
TEXTS = {
    "odd": PRELUDE + ODD,
    "together": PRELUDE
    + RENEWED.join(t for name, t in SNIPPETS.items() if name not in ALONE and "__future__" not in t),
    **{name: PRELUDE + SNIPPETS[name] for name in sorted(ALONE)},
}


def assert_counts(script: Path, least: int, **launch: object) -> None:
    """Both in one run: every finished episode is counted, and recorded whole."""
    debugger = Debugger(Launch(script, **launch))  # type: ignore[arg-type]  # as the caller gives it
    try:
        debugger.wait()
        history = debugger.history
        events = 0
        for summary in history.summaries:
            trace = history.traces[summary.index]
            raw = trace.kind.tobytes()
            assert summary.events == tuple(raw.count(bytes((kind,))) for kind in range(len(EVENT_NAMES)))
            assert summary.edges == len(trace.child)
            events += len(raw)
        assert events >= least
    finally:
        debugger.close()


@pytest.mark.parametrize("name", TEXTS)
def test_small_scripts(name: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(TEXTS[name], encoding="utf-8")
    assert_counts(script, {"together": 500, "odd": 20}.get(name, 0), goal=End(counting=True))


@pytest.mark.parametrize("script", sorted((SAMPLES / "scripts").glob("*.py")), ids=lambda path: path.stem)
def test_scripts_of_every_design(script: Path) -> None:
    if "Value" in script.read_text(encoding="utf-8"):
        assert_counts(script, 1000, goal=Steps(2, counting=True), data=NAMES)
