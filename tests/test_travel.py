"""Going back to steps that were run freely: the same step, to the last bit, and nothing of the user's touched twice."""

from __future__ import annotations

import hashlib
import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from control_fixtures import give, said
from hypothesis import given, settings
from hypothesis import strategies as st
from support import BUNDLED

from microgpt_tui.protocol import goals
from microgpt_tui.protocol.codes import COLUMNS
from microgpt_tui.protocol.moments import MomentError
from microgpt_tui.session.checkpoints import least_missed, private_memory
from microgpt_tui.session.commands.command import CommandError
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.trace import Trace

SMALL = {"n_embd": "4", "n_head": "2", "block_size": "4", "num_steps": "9", "num_samples": "3"}
NODE = """\
class Value:
    def __init__(self, data, children=(), grads=()):
        self.data, self.grad, self._children, self._local_grads = data, 0.0, children, grads
    def __add__(self, other):
        return Value(self.data + other.data, (self, other), (1.0, 1.0))
    def __mul__(self, other):
        return Value(self.data * other.data, (self, other), (other.data, self.data))
    def backward(self):
        order, seen = [], set()
        def visit(v):
            if v not in seen:
                seen.add(v)
                for child in v._children:
                    visit(child)
                order.append(v)
        visit(self)
        self.grad = 1.0
        for v in reversed(order):
            for child, local in zip(v._children, v._local_grads):
                child.grad += local * v.grad

weights = [Value(0.5), Value(-0.25), Value(2.0)]
"""
STEP = """\
    loss = weights[0] * weights[1] + weights[2] * weights[2]
    loss.backward()
    for w in weights:
        w.data -= 0.01 * w.grad
        w.grad = 0.0
"""


def launch(folder: Path, **more: str) -> Launch:
    corpus = folder / "corpus.txt"
    corpus.write_text("ada\nbob\ncleo\ndora\neve\nfay\n")
    return Launch(BUNDLED, data=corpus, overrides={**SMALL, **more})


def ended(made: Launch) -> Debugger:
    """A script that has run freely to its end."""
    debugger = Debugger(made)
    debugger.wait()
    give(debugger, "run")
    assert debugger.over
    return debugger


def scripted(tmp_path: Path, body: str, head: str = "", steps: int = 8, **launched: object) -> Debugger:
    """A small training of three weights, with more in each step; run freely to its end."""
    path = tmp_path / "script.py"
    path.write_text(f"{head}\n{NODE}\nfor step in range({steps}):\n{STEP}{body}\n", encoding="utf-8")
    return ended(Launch(path, **launched))  # type: ignore[arg-type]


def digest(trace: Trace) -> str:
    """All that was recorded of an episode."""
    made = hashlib.sha256()
    for name in COLUMNS:
        column = getattr(trace, name)
        if name == "bind_list":  # addresses: what is the same list has the same
            known: dict[int, int] = {}
            column = [known.setdefault(address, len(known)) for address in column]
        made.update(name.encode() + (column.tobytes() if hasattr(column, "tobytes") else repr(column).encode()))
    made.update(trace.start_data.tobytes() + repr(trace.texts).encode())
    return made.hexdigest()


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every episode of a run in which everything was recorded."""
    made = launch(tmp_path_factory.mktemp("straight"))
    made.goal, made.history_memory = goals.End(), 0
    debugger = Debugger(made)
    debugger.wait()
    found = {f"{t.episode_kind} {t.number}": digest(t) for t in debugger.history.traces.values()}
    debugger.close()
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debugger]:
    """A run that was free, and is over."""
    debugger = ended(launch(tmp_path_factory.mktemp("free")))
    yield debugger
    debugger.close()


# -- the ways ----------------------------------------------------------------------------------


def test_a_step_that_was_run_freely_is_gone_to(run: Debugger, straight: dict[str, str]) -> None:
    assert said(run, "goto 5:120").startswith("5:120")
    assert run.trace is not None
    assert digest(run.trace) == straight["step 5"]


def test_the_step_before_and_the_step_after(run: Debugger) -> None:
    give(run, "goto 4")
    assert said(run, "<").startswith("3:1 ")
    assert said(run, ">").startswith("4:1 ")
    assert said(run, "prevstep").startswith("3:1 ")
    give(run, "goto 7")
    assert said(run, "back").startswith("6:"), "one operation back from a step's first event"
    assert run.trace is not None
    assert run.moment.event == len(run.trace) - 1


def test_a_deep_folder_for_temporary_files_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, straight: dict[str, str]
) -> None:
    """A local socket's path is 107 bytes at most."""
    deep = tmp_path / ("deep" * 20) / ("deep" * 20)
    deep.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    debugger = ended(launch(tmp_path))
    try:
        assert said(debugger, "goto 5:120").startswith("5:120")
        assert debugger.trace is not None
        assert digest(debugger.trace) == straight["step 5"]
    finally:
        debugger.close()
    assert not list(deep.iterdir())


def test_a_sample_is_gone_to(run: Debugger, straight: dict[str, str]) -> None:
    assert said(run, "goto sample 2:end").startswith("sample 2:")
    assert run.trace is not None
    assert digest(run.trace) == straight["sample 2"]


def test_a_moment_by_its_name(run: Debugger) -> None:
    text = said(run, "goto 6:backward")
    assert text.startswith("6:")
    assert "accumulate" in text


def test_what_is_there_is_kept_and_first_and_last_are_whole(tmp_path: Path) -> None:
    debugger = ended(launch(tmp_path))
    kept = {f"{t.episode_kind} {t.number}" for t in debugger.history.traces.values() if t.complete and len(t)}
    assert {"setup 0", "step 1", "step 9", "sample 3"} <= kept
    assert str(debugger.name_of(debugger.moment)).startswith("sample 3:")
    assert debugger.trace is not None
    assert debugger.moment.event == len(debugger.trace) - 1
    debugger.close()


def test_ahead_of_the_frontier(tmp_path: Path) -> None:
    debugger = Debugger(launch(tmp_path))
    debugger.wait()
    assert "\n1:900 " in said(debugger, "goto 1:900")
    assert "\n1:1500 " in said(debugger, "goto :1500")
    debugger.close()


def test_a_script_without_a_training_loop_opens_at_its_first_operation(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(f"{NODE}\nloss = weights[0] * weights[1]\nloss.backward()\n", encoding="utf-8")
    debugger = Debugger(Launch(path))
    debugger.wait()
    assert debugger.over
    assert str(debugger.name_of(debugger.moment)) == "setup:1"
    debugger.close()


@settings(max_examples=5, deadline=None)
@given(walk=st.lists(st.sampled_from([f"step {i}" for i in range(1, 10)] + ["sample 1", "sample 2"]), max_size=5))
def test_any_walk_sees_what_a_straight_run_sees(run: Debugger, straight: dict[str, str], walk: list[str]) -> None:
    for place in walk:
        give(run, f"goto {place}")
        assert run.trace is not None
        assert digest(run.trace) == straight[place]
    assert run.history.differing == []


# -- what a script does ------------------------------------------------------------------------


def test_random_numbers_hashes_and_addresses_are_the_same(tmp_path: Path) -> None:
    head = "import random\nseen = []"
    body = "    seen.append(random.random())\n    weights[0].data += seen[-1] + hash(str(step)) % 7 + id(weights) % 3"
    debugger = scripted(tmp_path, body, head)
    give(debugger, "goto 6", "goto 3", "goto 7")
    assert debugger.history.differing == []
    debugger.close()


def test_the_clock_is_told(tmp_path: Path) -> None:
    debugger = scripted(tmp_path, "    weights[0].data += time.perf_counter() % 1", "import time")
    text = said(debugger, "goto 5")
    assert "run again is not the same" in text
    assert "weights differ" in text
    assert "the clock (script.py:" in text
    debugger.close()


def test_the_systems_own_random_numbers_are_told(tmp_path: Path) -> None:
    head = "import random\ndice = random.SystemRandom()"
    debugger = scripted(tmp_path, "    weights[0].data += dice.random()", head)
    assert "random.SystemRandom (script.py:" in said(debugger, "goto 5")
    debugger.close()


def test_a_script_that_writes_files_is_stopped_where_it_would(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    body = f"    if step == 4:\n        print('saved', file=open({str(out / 'saved')!r}, 'a'), flush=True)\n"
    debugger = scripted(tmp_path, body)
    assert (out / "saved").read_text() == "saved\n"
    text = said(debugger, "goto 5")
    assert f"write {out / 'saved'}" in text
    assert "line " in text
    assert text.splitlines()[-2].startswith("5:")
    assert said(debugger, "goto 7").startswith("7:1 "), "a checkpoint behind it leads beyond"
    assert (out / "saved").read_text() == "saved\n"
    debugger.close()


def test_open_files_are_read_at_their_own_place_and_written_to_copies(tmp_path: Path) -> None:
    numbers, log = tmp_path / "numbers", tmp_path / "log"
    numbers.write_text("\n".join(str(i / 8) for i in range(20)))
    head = f"source = open({str(numbers)!r})\nlog = open({str(log)!r}, 'w')"
    body = "    weights[1].data += float(source.readline())\n    log.write(f'{step} {loss.data}\\n')\n    log.flush()"
    debugger = scripted(tmp_path, body, head)
    written = log.read_bytes()
    give(debugger, "goto 6", "goto 2", "goto 7")
    assert debugger.history.differing == []
    assert log.read_bytes() == written
    debugger.close()


def test_a_script_with_threads_is_told_why(tmp_path: Path) -> None:
    head = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
    debugger = scripted(tmp_path, "", head)
    with pytest.raises(CommandError, match=r"it runs threads, .* `restart`, then `goto 5`"):
        give(debugger, "goto 5")
    own = [step.loss for step in debugger.history.steps]
    give(debugger, "restart", "goto 5")
    assert debugger.trace is not None
    assert str(debugger.name_of(debugger.moment)) == "5:1"
    assert [step.loss for step in debugger.history.steps] == own[:4], "and it does what is said"
    debugger.close()


def test_an_open_socket_is_told(tmp_path: Path) -> None:
    debugger = scripted(tmp_path, "", "import socket\npair = socket.socketpair()")
    with pytest.raises(CommandError, match="it has an open socket"):
        give(debugger, "goto 5")
    debugger.close()


def test_without_memory_for_it_the_past_is_gone(tmp_path: Path) -> None:
    made = launch(tmp_path)
    made.history_memory = 0
    debugger = ended(made)
    with pytest.raises(CommandError, match="--history-memory"):
        give(debugger, "goto 5")
    debugger.close()


def test_what_it_prints_again_goes_into_files_of_its_own(run: Debugger) -> None:
    before = run.process.output(0)
    give(run, "goto 2", "goto 8")
    assert run.process.output(0) == before
    assert run.trace is not None
    end = run.trace.print_end[-1]
    assert before[:end].endswith(b"\n"), "and its prints are at the same bytes"


# -- the budget --------------------------------------------------------------------------------


def test_dense_near_the_present_thinned_into_the_past() -> None:
    kept: list[int] = []
    for step in range(400):
        kept.append(step)
        while len(kept) > 20:
            kept.pop(least_missed(kept))
    assert kept[0] == 0
    assert kept[-1] == 399
    gaps = [b - a for a, b in itertools.pairwise(kept)]
    assert max(gaps) <= 3 * 400 / 20
    assert sum(gaps[-5:]) < sum(gaps[:5])


def test_no_copy_is_left_when_the_session_ends(tmp_path: Path) -> None:
    debugger = ended(launch(tmp_path))
    checkpoints = debugger.checkpoints
    assert checkpoints is not None
    pids = [c.pid for c in checkpoints.items]
    assert pids
    debugger.close()
    assert not any(running(pid) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's private memory")
def test_a_copy_keeps_no_memory_that_nobody_uses(tmp_path: Path) -> None:
    """What is free between objects in use stays with the script's process, and is written to again."""
    head = "kept = []"
    body = "    many = [bytes(200 + i % 99) for i in range(200_000)]\n    kept += many[::20_000]\n    del many"
    debugger = scripted(tmp_path, body, head, steps=70)
    checkpoints = debugger.checkpoints
    assert checkpoints is not None
    assert len(checkpoints.items) > 1
    used = resident(debugger.process.pid)
    assert used > 60 << 20
    assert max(private_memory(c.pid) for c in checkpoints.items) < 0.4 * used
    give(debugger, "goto 20", "goto 50", "goto 30")
    assert debugger.history.differing == []
    debugger.close()


def resident(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return next(1024 * int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM"))


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_a_moment_that_there_is_not_is_still_refused(run: Debugger) -> None:
    with pytest.raises((CommandError, MomentError), match="no training step 10"):
        give(run, "goto 10")


# -- searching ---------------------------------------------------------------------------------


def test_the_stop_before_and_the_stop_after_are_found_in_steps_that_were_not_kept(run: Debugger) -> None:
    give(run, "goto end", "goto sample 3", "break phase:backward")
    places = [int(str(run.name_of(run.moment)).partition(":")[0]) for _ in range(3) if give(run, "rcontinue")]
    assert places == [9, 8, 7]
    give(run, "continue")
    assert str(run.name_of(run.moment)).startswith("8:")
    assert run.hit is not None
    give(run, "delete")


def test_who_changed_this_last_is_found_in_the_step_before(run: Debugger) -> None:
    give(run, "goto 6:1", "watch lm_head[0][0]")
    text = said(run, "rcontinue")
    assert str(run.name_of(run.moment)).startswith("5:")
    assert "update" in text
    give(run, "delete")


def test_a_search_goes_on_into_other_episodes(run: Debugger) -> None:
    give(run, "goto 5:1", "find op:log")
    seen = []
    for _ in range(8):
        give(run, "findnext")
        seen.append(str(run.name_of(run.moment)).partition(":")[0])
    assert seen[0] == "5"
    assert "6" in seen
    give(run, "goto 5:1", "find op:log", "findprev")
    assert str(run.name_of(run.moment)).startswith("4:")


def test_a_search_that_finds_nothing_says_so_and_stays(run: Debugger) -> None:
    give(run, "goto 4:10", "break op:exp if data > 1e300")
    assert "no earlier stop" in said(run, "rcontinue")
    give(run, "delete", "goto 4:10", "find op:exp if data > 1e300")
    with pytest.raises(CommandError, match="no more of them after this"):
        give(run, "findnext")


def test_a_line_of_the_output_leads_to_the_step_that_printed_it(run: Debugger) -> None:
    output = run.process.output(0)
    at = output.index(b"step    7")
    give(run, f"goto byte {at}")
    assert str(run.name_of(run.moment)).startswith("7:")
    assert run.trace is not None
    assert run.trace.print_end[-1] > at


def test_a_way_that_is_given_up_leaves_the_cursor(tmp_path: Path) -> None:
    debugger = ended(launch(tmp_path))
    before = debugger.moment
    assert debugger.goto_whole(4)
    assert debugger.running
    debugger.pause()
    assert not debugger.running
    assert debugger.moment == before
    assert "cancelled" in debugger.notice
    debugger.close()


def test_a_run_goes_on_after_any_travelling_as_if_there_had_been_none(run: Debugger, tmp_path: Path) -> None:
    debugger = Debugger(launch(tmp_path))
    debugger.wait()
    give(debugger, "goto 5:200", "goto 2", "goto 4:300", "set lm_head[0][0] = 0.5", "run", "branch main", "goto 3")
    give(debugger, "goto 5:900", "goto 1", "goto 7", "goto 6", "run")
    assert [s.loss for s in debugger.history.steps] == [s.loss for s in run.history.steps]
    assert debugger.process.output(0) == run.process.output(0)
    assert debugger.history.differing == []
    debugger.close()
