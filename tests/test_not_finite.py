"""The stop at the first NaN or infinity: the script runs freely, and stops where one was made when it shows."""

from __future__ import annotations

import builtins
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from control_fixtures import give, said, session
from hypothesis import given
from hypothesis import strategies as st
from snippets import PRELUDE

from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.debuggee.rewrite import sites as names
from microgpt_tui.debuggee.run.breakpoints import Breaks
from microgpt_tui.debuggee.run.not_finite import all_finite
from microgpt_tui.protocol.breakpoints import LiveBreakpoint, Resolved
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.trace.facts import not_finite
from microgpt_tui.trace.names import own_name

SCRIPT = """
w = [Value(1.0), Value(2.0)]
for step in range(4):
    unused = w[0] * 2.0
    masked = w[1] + Value(float("-inf"))
    loss = w[0] * w[1]
    {body}
    loss.backward()
    for p in w:
        p.data = p.data - 0.01 * p.grad
        p.grad = 0
    {after}
"""


@pytest.fixture
def hooks() -> Iterator[dict[str, object]]:
    """The hooks that a recorder puts into ``builtins``, taken out again."""
    yield vars(builtins)
    for name in [n for n in vars(builtins) if n.startswith("@mg_")]:
        del vars(builtins)[name]


def test_while_it_runs_freely_every_hook_stays_a_bare_append(hooks: dict[str, object]) -> None:
    recorder = Recording([], ("data", "grad"), {})
    breaks = Breaks(recorder, lambda stop: None, lambda: False)
    breaks.arm((LiveBreakpoint(0, Resolved("nan")),))
    recorder.install()
    breaks.hook()
    assert all(hooks[n] == recorder.log.append for n in (names.NODE, names.NOTE, names.MARK, names.SOURCE))
    assert recorder.check is None


def running(tmp_path: Path, body: str = "pass", after: str = "pass") -> Debugger:
    script = tmp_path / "small.py"
    script.write_text(PRELUDE + SCRIPT.format(body=body, after=after))
    return session(script)


@pytest.mark.parametrize(
    ("body", "after", "name", "moment"),
    [
        ("big = w[0] * 1e200 if step == 2 else w[0]; loss = loss + big * big", "pass", "× in loss", 3),
        ("big = unused * 1e200 * (1e200 if step == 1 else 1.0)", "pass", "big", 2),
        ("pass", "w[1].data = math.inf if step == 1 else w[1].data", "w[1]", 2),
    ],
    ids=["in the loss", "never in the loss", "in an update"],
)
def test_it_stops_at_the_first_operation_that_makes_one(
    tmp_path: Path, body: str, after: str, name: str, moment: int
) -> None:
    debugger = running(tmp_path, body, after)
    try:
        text = said(debugger, "continue")
        trace = debugger.trace
        assert trace is not None
        assert "a NaN or an infinity was made here" in text
        assert debugger.moment.event == not_finite(trace)[0]
        assert (trace.episode_kind, trace.number) == ("step", moment)
        assert name in text
        later = len(trace) - 1 - debugger.moment.event
        assert (f"it showed {later:,} events later" in text) == (later > 0)
        assert debugger.step() or later == 0, "the events up to there are recorded"
    finally:
        debugger.close()


def test_what_is_expected_is_passed_by(tmp_path: Path) -> None:
    debugger = running(tmp_path, "big = unused * 1e200 * 1e200")
    try:
        give(debugger, "nan allow op == 'mul'", "continue")
        assert debugger.over
    finally:
        debugger.close()


def test_stepping_stops_at_once(tmp_path: Path) -> None:
    debugger = running(tmp_path, "big = unused * 1e200 * 1e200")
    try:
        for _ in range(12):
            give(debugger, "step")
            if debugger.hit is not None:
                break
        trace = debugger.trace
        assert trace is not None
        assert debugger.at_frontier
        assert own_name(trace, trace.node_of(debugger.moment.event)) in (None, "big")
        assert debugger.moment.event == not_finite(trace)[0]
    finally:
        debugger.close()


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32)))
def test_a_sum_tells_whether_numbers_are_finite(numbers: list[float]) -> None:
    assert all_finite(numbers) == all(map(math.isfinite, numbers))
