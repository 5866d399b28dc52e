"""A session: the live script at the frontier and the recording behind it are one and the same history."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snippets import PRELUDE, SNIPPETS
from support import BUNDLED, NAMES, SAMPLES, Session, record

from microgpt_tui.protocol import frames, goals
from microgpt_tui.protocol.codes import ACCUMULATE, COLUMNS, SiteKind
from microgpt_tui.protocol.fields import Data
from microgpt_tui.protocol.messages import Halted, Stopped
from microgpt_tui.protocol.stops import Raised, Refused
from microgpt_tui.session import script as live_script
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.trace import Trace
from microgpt_tui.trace.variables import variable

TINY = {"n_embd": "4", "n_head": "2", "block_size": "4", "num_steps": "100000"}

CLOSURES = (
    PRELUDE[: PRELUDE.index("class Value")]
    + """
class Scalar:
    def __init__(self, value, inputs=(), op=""):
        self.data = value
        self.grad = 0.0
        self._backward = lambda: None
        self._prev = inputs
        self._op = op

    def __add__(self, other):
        other = other if isinstance(other, Scalar) else Scalar(other)
        out = Scalar(self.data + other.data, (self, other), "+")
        def _backward():
            self.grad += out.grad
            other.grad += out.grad
        out._backward = _backward
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Scalar) else Scalar(other)
        out = Scalar(self.data * other.data, (self, other), "*")
        def _backward():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad
        out._backward = _backward
        return out

    def __sub__(self, other): return self + other * -1
    def __radd__(self, other): return self + other
    def __rmul__(self, other): return self * other

    def backward(self):
        topo, seen = [], set()
        def visit(v):
            if v not in seen:
                seen.add(v)
                for u in v._prev:
                    visit(u)
                topo.append(v)
        visit(self)
        self.grad = 1.0
        for v in reversed(topo):
            v._backward()

TINY = {"n_embd": "4", "n_head": "2", "block_size": "4", "num_steps": "100000"}


w = [Scalar(0.5), Scalar(-1.5), Scalar(2.0)]
def model(x):
    hidden = [w_i * x - 1 for w_i in w]
    return sum(hidden) * 0.5
for step in range(4):
    loss = (model(step) - 1) * (model(step + 1) - 1)
    loss.backward()
    for p in w:
        p.data -= 0.01 * p.grad
        p.grad = 0
    print(step, loss.data)
for sample_idx in range(2):
    out = []
    for pos in range(2):
        scores = [(w_i * w_i).data for w_i in w]
        out.append(random.choices(range(3), weights=scores)[0])
    print(out)
"""
)
TRY = """\
    try:
        loss.backward()
    except Exception:
        pass"""
SCRIPTS = {"local_grads": PRELUDE + SNIPPETS["train"], "closures": CLOSURES}


@pytest.fixture(params=SCRIPTS)
def script(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("session") / "script.py"
    path.write_text(SCRIPTS[request.param], encoding="utf-8")
    return path


def columns(trace: Trace) -> dict[str, object]:
    """Everything recorded, for comparing: of gradients what is laid out, whether they were noted one by one or not.

    Identities of lists are not the script's.
    """
    laid_out = "row", "born", "target", "source", "delta", "factor", "after", "write_site", "write_event", "int_after"
    found: dict[str, object] = {
        n: getattr(trace, n).tobytes()
        for n in (*COLUMNS, *laid_out)
        if n != "bind_list" and not n.startswith(("noted_", "pass_", "exact_", "order"))
    }
    found |= {
        n: getattr(trace, n)
        for n in ("ops", "texts", "shapes", "scope_values", "operands", "populations", "complete", "first_node")
    }
    return found


def differing(a: Trace, b: Trace) -> list[str]:
    left, right = columns(a), columns(b)
    return [name for name in left if left[name] != right[name]]


@pytest.fixture
def opened(script: Path) -> Iterator[Debugger]:
    """A session paused at the first operation of the first training step."""
    debugger = Debugger(Launch(script))
    debugger.wait()
    yield debugger
    debugger.close()


def finish_episode(debugger: Debugger, index: int, move: Callable[[], bool]) -> Trace:
    """Make live moves until the episode is over."""
    for _ in range(100_000):
        if debugger.history.traces[index].complete or debugger.over:
            break
        assert move()
        debugger.wait()
    return debugger.history.traces[index]


# -- opening -----------------------------------------------------------------------------------


def test_it_opens_at_the_first_operation_of_training(opened: Debugger) -> None:
    trace = opened.trace
    assert trace is not None
    assert (trace.episode_kind, trace.number, opened.moment.event) == ("step", 1, len(trace) - 1)
    assert opened.at_frontier
    assert not opened.running
    assert opened.history.traces[0].complete, "the setup is behind it"
    assert opened.name_of(opened.moment) == f"1:{len(trace)}"


# -- live and recorded are one ---------------------------------------------------------------------


@pytest.mark.parametrize("move", ["step", "step_event", "next_statement", "finish", "next_phase", "next_episode"])
def test_stepping_records_what_a_free_run_records(script: Path, opened: Debugger, move: str) -> None:
    free = record(script, steps=1)
    try:
        trace = finish_episode(opened, 1, getattr(opened, move))
        assert trace.complete
        assert len(trace) > 20
        assert differing(trace, free.step) == []
    finally:
        free.debugger.close()


@pytest.mark.parametrize("move", ["step_event", "next_iteration", "finish"])
def test_stepping_through_a_gpt_records_what_a_free_run_records(move: str) -> None:
    tiny = {"n_embd": "4", "n_head": "2", "block_size": "3"}
    free = record(BUNDLED, steps=1, data=NAMES, overrides=tiny)
    debugger = Debugger(Launch(BUNDLED, data=NAMES, overrides=tiny))
    try:
        debugger.wait()
        trace = finish_episode(debugger, 1, lambda: getattr(debugger, move)() or debugger.next_phase())
        assert len(trace) > 3000
        assert differing(trace, free.step) == []
    finally:
        debugger.close()
        free.debugger.close()


def test_the_first_turn_of_a_loop_that_has_not_begun_is_waited_for() -> None:
    debugger = Debugger(Launch(BUNDLED, data=NAMES, overrides=TINY))
    try:
        debugger.wait()
        assert debugger.next_iteration("h")
        debugger.wait()
        trace = debugger.trace
        assert trace is not None
        assert trace.episode_kind == "step"
        assert variable(trace, debugger.moment.event, "h").value == 0
        before = debugger.moment
        assert debugger.next_iteration("h")
        debugger.wait()
        assert variable(trace, debugger.moment.event, "h").value == 1
        debugger.jump(Moment(before.episode, 0))
        assert debugger.next_iteration("h")
        assert debugger.moment == before, "recorded now: the same place"
        assert not debugger.next_iteration("nosuch")
        assert "no loop nosuch" in debugger.notice
    finally:
        debugger.close()


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    walk=st.lists(
        st.sampled_from(["step", "step_event", "next_statement", "finish", "back", "back_event", "next_phase"]),
        min_size=5, max_size=40,
    )
)  # fmt: skip
def test_whatever_the_way_the_recording_is_the_same(script: Path, walk: list[str]) -> None:
    free = record(script, steps=2)
    debugger = Debugger(Launch(script))
    try:
        debugger.wait()
        for move in walk:
            getattr(debugger, move)()
            debugger.wait()
        for _ in range(3):
            debugger.next_episode()
            debugger.wait()
        for index in (1, 2):
            assert differing(debugger.history.traces[index], free.debugger.history.traces[index]) == []
    finally:
        debugger.close()
        free.debugger.close()


def test_the_setup_keeps_what_a_value_was_made_with(tmp_path: Path) -> None:
    """Weights that the script scales after making them: the recorder learns of both numbers while it runs freely."""
    path = tmp_path / "scaled.py"
    scaling = "made = [v.data for v in w]\nfor v in w:\n    v.data *= 0.5\nprint(made)\n"
    path.write_text(PRELUDE + scaling + SNIPPETS["train"], encoding="utf-8")
    session = record(path)
    try:
        setup = session.setup
        made = [setup.data_at(node, setup.born_at(node)) for node in range(4)]
        assert session.debugger.process.output(0).decode().splitlines()[0] == str(made)
        assert list(setup.old) == made
        assert list(setup.new) == [x * 0.5 for x in made] == [setup.data_at(n, len(setup)) for n in range(4)]
    finally:
        session.debugger.close()


def test_a_step_executes_one_operation_and_no_more(opened: Debugger) -> None:
    trace = opened.trace
    assert trace is not None
    for _ in range(10):
        before = len(trace)
        opened.step()
        opened.wait()
        assert opened.at_frontier
        made = [trace.op_name(trace.node_of(e)) for e in range(before, len(trace))]
        assert [op for op in made if op != "const"] != []
        assert before < len(trace) <= before + 8


def test_going_back_costs_the_script_nothing(opened: Debugger) -> None:
    for _ in range(6):
        opened.step()
        opened.wait()
    frontier = opened.moment
    while opened.back():
        assert not opened.running
    assert opened.moment == Moment(0, 0)
    assert opened.notice == "this is the beginning of the history"
    while opened.moment != frontier:
        assert opened.step()
        assert not opened.running


# -- the end ---------------------------------------------------------------------------------------


def test_at_the_end_the_history_stays(opened: Debugger) -> None:
    opened.run()
    opened.wait()
    assert opened.over
    history = opened.history
    assert history.stop is not None
    assert history.stop.reason == "end"
    assert [s.number for s in history.steps] == list(range(1, len(history.steps) + 1))
    assert all(s.data is not None and len(s.data) == len(history.program.kept) for s in history.steps)
    assert not opened.step() or opened.moment.event >= 0
    opened.goto(0, 0)
    assert not opened.running
    assert opened.step(), "the setup can be walked again"
    opened.to_frontier()
    assert not opened.step()
    assert "ended" in opened.notice


@pytest.mark.parametrize(
    ("tail", "reason"),
    [("w[0] + None\n", "exception"), ("sys.exit(3)\n", "exit"), ("import os\nos._exit(4)\n", "exit"),
     ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "killed"), ("raise KeyboardInterrupt\n", "signal")],
)  # fmt: skip
def test_every_way_to_end_is_told(tmp_path: Path, tail: str, reason: str) -> None:
    path = tmp_path / "ends.py"
    path.write_text(PRELUDE + SNIPPETS["train"] + tail, encoding="utf-8")
    debugger = Debugger(Launch(path, goal=goals.End()))
    try:
        debugger.wait()
        stop = debugger.history.stop
        assert stop is not None
        assert (stop.over, stop.reason) == (True, reason)
        assert len(debugger.history.steps) == 3
        if isinstance(stop, Raised):
            assert stop.error == "TypeError"
            file, line, name = stop.frames[0]
            assert debugger.history.program.line_text(file, line) == "w[0] + None"
            assert name == "<module>"
    finally:
        debugger.close()


def test_an_exception_in_the_middle_of_a_step_leaves_its_events(tmp_path: Path) -> None:
    path = tmp_path / "fails.py"
    path.write_text(
        PRELUDE + SNIPPETS["train"].replace("loss.backward()", "loss.backward(); w[9 * step]"), encoding="utf-8"
    )
    debugger = Debugger(Launch(path, goal=goals.End()))
    try:
        debugger.wait()
        newest = debugger.history.newest
        assert newest is not None
        assert (newest.episode_kind, newest.number) == ("step", 2)
        assert debugger.moment == Moment(newest.index, len(newest) - 1)
        assert newest.loss() is not None
    finally:
        debugger.close()


def test_a_script_whose_debugger_is_gone_ends(tmp_path: Path) -> None:
    path = tmp_path / "stubborn.py"
    loop = SNIPPETS["train"].replace("range(3)", "range(10**9)").replace("    loss.backward()", TRY)
    path.write_text(PRELUDE + loop, encoding="utf-8")
    debugger = Debugger(Launch(path))
    debugger.wait()
    debugger.run()
    debugger.process.channel.close()
    assert debugger.process.wait(20) is not None
    debugger.close()


def test_a_script_that_talks_nonsense_is_ended_and_the_history_stays(opened: Debugger) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(frames.pack(Halted(1)).replace(b"Halted", b"Heated"))
        opened.process._read = frames.reader(ours)
        opened.script.running = True
        opened.wait()
    stop = opened.history.stop
    assert isinstance(stop, Refused)
    assert "not a message of this version of microgpt-tui: 'Heated'" in stop.message
    assert opened.process.wait(20) is not None
    assert opened.back()


# -- running and pausing -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running() -> Iterator[Debugger]:
    debugger = Debugger(Launch(BUNDLED, data=NAMES, private_folder=True))
    debugger.wait()
    yield debugger
    debugger.close()


def test_a_pause_has_the_whole_current_step_behind_it(running: Debugger) -> None:
    paused_while(running, 0.35)
    history = running.history
    assert history.stop is not None
    assert history.stop.reason == "pause"
    trace = running.trace
    assert trace is not None
    assert running.at_frontier
    assert trace.episode_kind == "step"
    assert trace.number == len(history.steps) + 1
    assert trace.scope_first[0] == 0


def test_a_pass_that_fails_at_a_local_gradient_that_is_none_ends_as_the_script_does(tmp_path: Path) -> None:
    path = tmp_path / "none.py"
    path.write_text(PRELUDE.replace("(other.data, self.data)", "(other.data, None)") + SNIPPETS["train"])
    debugger = Debugger(Launch(path, goal=goals.Steps(1)))
    try:
        debugger.wait()
        stop = debugger.history.stop
        assert isinstance(stop, Raised)
        assert "NoneType" in str(stop)
        trace = debugger.history.newest
        assert trace is not None
        assert trace.kind.count(ACCUMULATE) == 1, "the loss has given to its first operand"
    finally:
        debugger.close()


def paused_while(debugger: Debugger, seconds: float) -> list[Data | None]:
    """The messages from sending the script on to its pause so many seconds later."""
    debugger.run()
    pause = threading.Timer(seconds, debugger.pause)
    pause.start()
    seen: list[Data | None] = []
    debugger.wait(seen.append)
    pause.join()
    return seen


def test_a_pause_tells_its_line_at_once_and_is_never_between_two_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_script, "SECOND_PAUSE", 600)  # a slow machine's second one does not wait for an event
    debugger = Debugger(Launch(BUNDLED, data=NAMES, private_folder=True, overrides=TINY))
    try:
        debugger.wait()
        for k in range(25):
            seen = paused_while(debugger, 0.02 + 0.0013 * k)
            kinds = [type(message) for message in seen]
            assert kinds.index(Halted) < kinds.index(Stopped)
            halted = next(message for message in seen if isinstance(message, Halted))
            site = debugger.history.program.site(halted.site)
            assert site.kind == SiteKind.STATEMENT
            trace = debugger.trace
            assert trace is not None
            assert (trace.episode_kind, debugger.at_frontier) == ("step", True)
    finally:
        debugger.close()


def test_a_pause_does_not_wait_for_long_for_something_to_happen(tmp_path: Path) -> None:
    path = tmp_path / "sleeper.py"
    sleepy = SNIPPETS["train"].replace("    loss =", "    __import__('time').sleep(step * 30)\n    loss =", 1)
    path.write_text(PRELUDE + sleepy, encoding="utf-8")
    debugger = Debugger(Launch(path))
    try:
        debugger.wait()
        start = time.perf_counter()
        paused_while(debugger, 0.3)
        assert time.perf_counter() - start < 15
        assert debugger.history.stop is not None
        assert debugger.history.stop.reason == "pause"
    finally:
        debugger.close()


def test_after_a_pause_the_run_goes_on_as_if_nothing_had_been(running: Debugger) -> None:
    done = len(running.history.steps)
    running.run_to("step", done + 4)
    running.wait()
    losses = [s.loss for s in running.history.steps]
    other = record(BUNDLED, steps=len(losses), data=NAMES, private_folder=True)
    try:
        assert [s.loss for s in other.debugger.history.steps] == losses
    finally:
        other.debugger.close()


def test_running_freely_keeps_losses_and_weights_but_not_events(running: Debugger) -> None:
    running.run_to("step", len(running.history.steps) + 3)
    running.wait()
    history = running.history
    whole = [t for t in history.traces.values() if t.episode_kind == "step"]
    assert len(whole) < len(history.steps)
    assert all(s.data is not None and s.loss is not None and s.cpu > 0 for s in history.steps)


def test_memory_has_a_budget_and_what_is_dropped_is_said() -> None:
    from microgpt_tui.session.history import History

    launch = Launch(SAMPLES / "scripts" / "mlp_only.py", data=NAMES, goal=goals.Steps(5))
    debugger = Debugger(launch, History(budget=5_000_000))
    try:
        debugger.wait()
        history = debugger.history
        assert history.dropped > 0
        assert 0 in history.traces
        kept = [i for i in history.traces if i]
        assert len(history.steps) == 5
        assert history.dropped + len(kept) >= 5
        assert sum(t.nbytes for t in history.traces.values()) < 9_000_000
    finally:
        debugger.close()


# -- parameters and samples ------------------------------------------------------------------------


def test_parameters_keep_their_names_and_numbers(recorded: Session) -> None:
    program = recorded.debugger.history.program
    assert len(program.kept) == len(set(program.kept)) > 100
    assert list(program.kept) == sorted(program.kept)
    assert sum(len(m.nodes) for m in program.matrices) >= len(program.kept)
    for matrix in program.matrices:
        size = 1
        for length in matrix.shape:
            size *= length
        assert size == len(matrix.nodes) or -1 in matrix.shape
        assert set(matrix.nodes) <= set(program.kept)


def test_samples_record_the_draw_the_weights_and_the_choice(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(CLOSURES, encoding="utf-8")
    debugger = Debugger(Launch(path, goal=goals.End()))
    try:
        debugger.wait()
        debugger.process.end()
        printed = [line for line in debugger.process.output(0).decode().splitlines() if line.startswith("[")]
        samples = [t for t in debugger.history.traces.values() if t.episode_kind == "sample"]
        assert [str(list(t.choice)) for t in samples] == printed
        for trace in samples:
            for i, choice in enumerate(trace.choice):
                start, count = trace.weight_start[i], trace.sample_count[i]
                weights = list(trace.weight[start : start + count])
                below = sum(weights[:choice])
                assert below <= trace.draw[i] * sum(weights) <= below + weights[choice]
    finally:
        debugger.close()
