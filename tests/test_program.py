"""The bundled GPT is the published one, to the last bit: its own text, the published numbers."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pty
import re
import subprocess
import sys
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import ascii_lowercase

import pytest
from support import BUNDLED, NAMES, Session, record, run_bare

from microgpt_tui.protocol import goals
from microgpt_tui.protocol.codes import BACKWARD, CREATE
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.variables import buffer_at, variable

PUBLISHED = json.loads((Path(__file__).parent / "data" / "published.json").read_text(encoding="utf-8"))


def digest(numbers: Iterable[float]) -> str:
    """As in the published figures: sha256 over little-endian doubles, the first 16 digits."""
    return hashlib.sha256(array("d", numbers).tobytes()).hexdigest()[:16]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many lines as the published corpus has; those that training reads are in their places."""
    lines = [ascii_lowercase] * PUBLISHED["settings"]["documents"]
    for index, document in PUBLISHED["lines"]:
        lines[index] = document
    path = tmp_path_factory.mktemp("corpus") / "names.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def free(corpus: Path) -> Iterator[Debugger]:
    """Thirty steps run freely: losses and parameters of every step."""
    goal = goals.Steps(30, forget=True)
    debugger = Debugger(Launch(BUNDLED, data=corpus, private_folder=True, goal=goal))
    debugger.wait()
    yield debugger
    debugger.close()


@pytest.fixture(scope="module")
def whole(corpus: Path) -> Iterator[Session]:
    """Two steps recorded whole."""
    session = record(BUNDLED, steps=2, data=corpus, private_folder=True)
    yield session
    session.debugger.close()


def test_what_the_script_prints_about_its_data(free: Debugger) -> None:
    printed = free.process.output(0).decode()
    documents, vocabulary, parameters = PUBLISHED["settings"].values()
    told = [f"num docs: {documents}", f"vocab size: {vocabulary}", f"num params: {parameters}"]
    assert printed.splitlines()[:3] == told


def test_the_printed_losses_are_the_published_ones(free: Debugger) -> None:
    printed = re.findall(r"^step +(\d+) / 1000 \| loss (\S+)$", free.process.output(0).decode(), re.MULTILINE)
    expected = PUBLISHED["printed_losses"]
    assert printed[: len(expected)] == [(str(i), loss) for i, loss in enumerate(expected, start=1)]


def test_thirty_losses_and_parameters_to_the_last_bit(free: Debugger) -> None:
    setup, steps = free.history.traces[0], free.history.steps
    initial = digest(setup.data_at(node, len(setup) - 1) for node in free.history.program.kept)
    assert initial == PUBLISHED["initial_parameters"]
    assert [repr(s.loss) for s in steps] == [p["loss"] for p in PUBLISHED["steps"]]
    assert [digest(s.data or ()) for s in steps] == [p["param_sha"] for p in PUBLISHED["steps"]]


def test_gradients_and_adam_to_the_last_bit(whole: Session) -> None:
    history = whole.debugger.history
    for trace in [t for t in history.traces.values() if t.episode_kind == "step" and len(t)]:
        expected = PUBLISHED["steps"][trace.number - 1]
        (end,) = [last for _, last, phase in trace.phase_spans if phase == BACKWARD]
        grads = [trace.grad_at(node, end) for node in history.program.kept]
        assert digest(grads) == expected["grad_sha"]
        assert sum(g != 0 for g in grads) == expected["nonzero_grads"]
        last = len(trace) - 1
        assert digest(buffer_at(trace, "grad_avg", last)) == expected["m_sha"]
        assert digest(buffer_at(trace, "sq_avg", last)) == expected["v_sha"]
        assert digest(trace.data_at(node, last) for node in history.program.kept) == expected["param_sha"]
        found = variable(trace, last, "lr_t")
        assert found is not None
        assert repr(found.value) == expected["lr"]


def test_nodes_of_a_step_follow_the_formula(whole: Session) -> None:
    for trace in [t for t in whole.debugger.history.traces.values() if t.episode_kind == "step" and len(t)]:
        doc = variable(trace, len(trace) - 1, "doc")
        assert doc is not None
        n = min(16, len(doc.value) + 1)
        assert trace.kind.count(CREATE) == 50 * n**2 + 7690 * n + 3


def test_a_terminal_shows_the_last_loss_in_place_and_a_log_keeps_all(tmp_path: Path) -> None:
    text = BUNDLED.read_text(encoding="utf-8").replace("num_steps = 1000", "num_steps = 2")
    script = tmp_path / "two_steps.py"
    script.write_text(text.replace("num_samples = 20", "num_samples = 1"), encoding="utf-8")
    (tmp_path / "input.txt").write_text("ab\nba\n", encoding="utf-8")
    log = run_bare(script, cwd=tmp_path).stdout
    assert len(re.findall(r"^step +\d / +2 \| loss \d\.\d{4}$", log, re.MULTILINE)) == 2
    reader, terminal = pty.openpty()
    with subprocess.Popen([sys.executable, str(script)], cwd=tmp_path, stdout=terminal) as running:
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # how Linux says that the terminal's other end is closed
            while part := os.read(reader, 4096):
                shown += part
    os.close(reader)
    assert running.returncode == 0
    first, second = log.splitlines()[3:5]
    assert f"{first}\r{second}\r\r\n--- samples" in shown.decode()


def test_it_runs_on_the_bundled_corpus() -> None:
    session = record(BUNDLED, steps=1, private_folder=True)
    try:
        lines = len(NAMES.read_text(encoding="utf-8").split())
        assert session.debugger.process.output(0).decode().startswith(f"num docs: {lines}\n")
        assert session.debugger.history.steps[0].loss == pytest.approx(3.3, abs=0.2)
    finally:
        session.debugger.close()


@pytest.mark.slow
def test_the_twenty_published_samples(corpus: Path) -> None:
    debugger = Debugger(Launch(BUNDLED, data=corpus, private_folder=True, goal=goals.End(forget=True)))
    try:
        debugger.wait()
        printed = re.findall(r"^sample +\d+: (.*)$", debugger.process.output(0).decode(), re.MULTILINE)
        assert printed == PUBLISHED["samples"]
    finally:
        debugger.close()
