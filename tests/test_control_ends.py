"""How a script can stop or end: each in one clear sentence, with its record still there to walk."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from control_fixtures import BUGS, give, said, session, tanh_gpt
from support import run_bare, run_recorded

from microgpt_tui.protocol.codes import ALTERED_LINE
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.session.stops import explain, longest_chain

ENGINE = """
import math, os, sys, signal
class Value:
    def __init__(self, data, children=(), local_grads=()):
        self.data = data
        self.grad = 0
        self._children = children
        self._local_grads = local_grads
    def __add__(self, other):
        return Value(self.data + other.data, (self, other), (1, 1))
    def __mul__(self, other):
        return Value(self.data * other.data, (self, other), (other.data, self.data))
    def log(self):
        return Value(math.log(self.data), (self,), (1 / self.data,))
    def backward(self):
        topo, visited = [], set()
        def build_topo(v):
            if v not in visited:
                visited.add(v)
                for child in v._children:
                    build_topo(child)
                topo.append(v)
        build_topo(self)
        self.grad = 1
        for v in reversed(topo):
            for child, local_grad in zip(v._children, v._local_grads):
                child.grad += local_grad * v.grad
weights = [Value(0.5), Value(2.0)]
for step in range(4):
    x = weights[0] * weights[1]
{body}
    x.backward()
    for p in weights:
        p.data -= 0.01 * p.grad
        p.grad = 0
"""

Start = Callable[[str], Debugger]


@pytest.fixture
def start(tmp_path: Path, request: pytest.FixtureRequest) -> Start:
    """A small training script with a few lines of its own in its loop, stopped at its first operation."""

    def run(body: str) -> Debugger:
        script = tmp_path / "small.py"
        lines = "\n".join("    " + line for line in body.splitlines())
        script.write_text(ENGINE.replace("{body}", lines), encoding="utf-8")
        debugger = Debugger(Launch(script, private_folder=True))
        request.addfinalizer(debugger.close)
        debugger.wait()
        return debugger

    return run


def sentence(debugger: Debugger) -> str:
    return str(explain(debugger.history.stop, debugger.history))


def test_an_exception_keeps_its_partial_graph_and_its_frames(start: Start) -> None:
    debugger = start("y = x + Value(-1.0)\nz = y.log()")
    text = said(debugger, "continue")
    assert "ValueError: math domain error in log, small.py:14" in text
    assert "small.py:32 in <module>: z = y.log()" in text
    trace = debugger.trace
    assert trace is not None
    assert trace.data_at(trace.end_node - 1, len(trace) - 1) == 0.0, "y is there, z is not"
    assert "data 0.0" in said(debugger, "print y")
    assert "data 0.0" in said(debugger, "print self"), "the frame that raised is asked too"
    give(debugger, "back", "back")
    assert debugger.moment.event < len(trace) - 1
    assert "log(0) on line 14" in said(debugger, "goto end", "rootcause")


def test_recursion_tells_its_depth_its_reason_and_its_remedy(start: Start) -> None:
    debugger = start("for i in range(1500):\n    x = x + weights[0]")
    text = said(debugger, "continue")
    trace = debugger.trace
    assert trace is not None
    assert longest_chain(trace) == 1501
    assert "RecursionError: build_topo called itself" in text
    assert "the longest chain of operations in this graph has 1,501 nodes" in text
    assert "sys.setrecursionlimit(10000)" in text.replace(",", "")
    assert "more levels" in text


@pytest.mark.parametrize(
    ("body", "reason", "words"),
    [
        ("if step == 1: sys.exit(3)", "exit", "left by sys.exit(3) on line 31"),
        ("if step == 1: os._exit(7)", "exit", "left by os._exit(7)"),
        ("if step == 1: os.kill(os.getpid(), signal.SIGTERM)", "killed", "ended by SIGTERM"),
        ("if step == 1: os.kill(os.getpid(), signal.SIGKILL)", "killed", "memory ran out"),
        ("if step == 1: raise MemoryError", "exception", "out of memory"),
        ("if step == 1: raise KeyboardInterrupt", "signal", "interrupted by SIGINT"),
        ("pass", "end", "ended with exit status 0"),
    ],
)  # fmt: skip
def test_every_end_has_its_own_sentence(start: Start, body: str, reason: str, words: str) -> None:
    debugger = start(body)
    give(debugger, "continue")
    stop = debugger.history.stop
    assert stop is not None
    assert stop.reason == reason
    assert words in sentence(debugger)
    assert len(debugger.history.steps) >= 1, "what was recorded before stays"


def test_a_traceback_shows_no_frame_of_the_debugger(tmp_path: Path) -> None:
    script = tmp_path / "chooses.py"
    body = "    import random; random.choices([], weights=[])"
    script.write_text(ENGINE.replace("{body}", body), encoding="utf-8")
    assert run_recorded(script).stderr == run_bare(script).stderr


def test_a_killed_script_leaves_its_record(start: Start) -> None:
    debugger = start("pass")
    give(debugger, "step", "step")
    recorded = len(debugger.trace or ())
    os.kill(debugger.process.popen.pid, signal.SIGKILL)
    debugger.script.running = True
    debugger.wait()
    assert "SIGKILL" in sentence(debugger)
    assert len(debugger.trace or ()) == recorded
    assert debugger.back()


def test_a_nan_stops_where_it_is_made_and_the_allow_list_lets_it_pass(start: Start) -> None:
    body = "big = Value(1e308) * Value(10.0)\nodd = big * Value(0.0)\nx = x + odd"
    debugger = start(body)
    assert "NaN or an infinity was made" in said(debugger, "continue")
    trace = debugger.trace
    assert trace is not None
    assert trace.data_at(trace.node_of(debugger.moment.event), debugger.moment.event) == float("inf")
    text = said(debugger, "rootcause")
    assert "infinity made by mul(1e+308, 10) on line 31" in text
    debugger = start(body)
    give(debugger, "nan allow op == 'mul' or phase == 'backward'", "continue")
    assert debugger.history.stop is not None
    assert debugger.history.stop.reason == "end", "all of it was expected"


def test_a_mask_of_minus_infinity_is_no_accident(start: Start) -> None:
    debugger = start("masked = x + Value(float('-inf'))")
    give(debugger, "continue")
    assert debugger.history.stop is not None
    assert debugger.history.stop.reason == "end"


def test_a_gradient_that_overflows_is_found_at_its_accumulation(start: Start) -> None:
    debugger = start("x = Value(1e-300, (weights[0],), (1e200,))\nx = Value(1.0, (x,), (1e200,))")
    assert "NaN or an infinity" in said(debugger, "continue")
    trace = debugger.trace
    assert trace is not None
    assert trace.after[trace.row[debugger.moment.event]] == float("inf")


# -- evaluate, set, restart --------------------------------------------------------------------


def test_print_sees_the_paused_frame_and_never_calls_the_scripts_repr() -> None:
    debugger = tanh_gpt()
    try:
        give(debugger, "break var:attn_weights if pos == 1", "continue")
        assert said(debugger, "print [sum(w.data for w in attn_weights), h, li]").startswith("[3]")
        assert "attn_weights[1]: data" in said(debugger, "print attn_weights[1]")
        events = len(debugger.trace or ())
        assert "not recorded: data" in said(debugger, "print (q[0] * 2).exp()")
        assert len(debugger.trace or ()) == events, "what it makes is not part of the record"
        with pytest.raises(ValueError, match="NameError"):
            give(debugger, "print nothing_of_that_name")
        with pytest.raises(ValueError, match="given up"):
            give(debugger, "print [0 for _ in iter(int, 1) if False]")
    finally:
        debugger.close()


def test_a_number_can_be_set_and_put_back_and_the_run_goes_on_from_it() -> None:
    debugger = tanh_gpt()
    try:
        before = said(debugger, "print state_dict['lm_head'][0][0].data")
        assert "altered from here on" in said(debugger, "set lm_head[0][0] = 3")
        trace = debugger.trace
        assert trace is not None
        assert trace.program.site(trace.update_site[0]).line == ALTERED_LINE
        assert said(debugger, "print state_dict['lm_head'][0][0].data") == "3.0"
        give(debugger, "undo")
        assert said(debugger, "print state_dict['lm_head'][0][0].data") == before
        give(debugger, "set lm_head[0][0] = 3", "tbreak loss", "continue")
        changed = said(debugger, "print loss.data")
        give(debugger, "restart", "tbreak loss", "continue")
        assert said(debugger, "print loss.data") != changed
    finally:
        debugger.close()


def test_restart_keeps_the_breakpoints_and_begins_their_counts_anew() -> None:
    debugger = tanh_gpt()
    try:
        give(debugger, "break op:log", "continue", "continue")
        first = debugger.moment
        assert debugger.breakpoints.counted(debugger.breakpoints.get(1)) == 2
        give(debugger, "restart")
        assert debugger.breakpoints.counted(debugger.breakpoints.get(1)) == 0
        give(debugger, "continue", "continue")
        assert debugger.moment == first
    finally:
        debugger.close()


def test_the_growth_of_a_parameter_stands_on_the_card() -> None:
    debugger = session(BUGS / "exploding_lr.py")
    try:
        give(debugger, "continue")
        text = said(debugger, "rootcause")
        assert "math range error" in text
        assert "over the last 8 steps" in text
        assert "parameter layer0.mlp_fc1" in text
    finally:
        debugger.close()
