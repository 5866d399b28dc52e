"""The bundled GPT is the published one, to the last bit: its own text, the published numbers."""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from collections.abc import Iterable, Iterator

import pytest
from support import BUNDLED, NAMES, ROOT, Session, record

from microgpt_tui.protocol import goals
from microgpt_tui.protocol.codes import BACKWARD, CREATE
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.variables import buffer_at, variable

SHARED = ROOT.parent / "shared"
GOLDEN = SHARED / "golden" / "steps-1-30.json"
CORPUS = SHARED / "data" / "names.txt"
SAMPLES = """
kamon ann karai jaire vialan karia yeran anna areli kaina konna keylen liole alerin earan lenne kana lara alela anton
"""

golden = pytest.mark.skipif(not (GOLDEN.exists() and CORPUS.exists()), reason="the published figures are not here")


def digest(numbers: Iterable[float]) -> str:
    """As in the published figures: sha256 over little-endian doubles, the first 16 digits."""
    return hashlib.sha256(array("d", numbers).tobytes()).hexdigest()[:16]


@pytest.fixture(scope="module")
def free() -> Iterator[Debugger]:
    """Thirty steps run freely: losses and parameters of every step."""
    goal = goals.Steps(30, forget=True)
    debugger = Debugger(Launch(BUNDLED, data=CORPUS, private_folder=True, goal=goal))
    debugger.wait()
    yield debugger
    debugger.close()


@pytest.fixture(scope="module")
def whole() -> Iterator[Session]:
    """Two steps recorded whole."""
    session = record(BUNDLED, steps=2, data=CORPUS, private_folder=True)
    yield session
    session.debugger.close()


@golden
def test_what_the_script_prints_about_its_data(free: Debugger) -> None:
    printed = free.process.output(0).decode()
    assert printed.splitlines()[:3] == ["num docs: 32033", "vocab size: 27", "num params: 4192"]


@golden
def test_thirty_losses_and_parameters_to_the_last_bit(free: Debugger) -> None:
    published = json.loads(GOLDEN.read_text())
    assert (
        digest(free.history.traces[0].data_at(n, 10**9) for n in free.history.program.kept)
        == published["init_param_sha"]
    )
    steps = free.history.steps
    assert [repr(s.loss) for s in steps] == [p["loss"] for p in published["steps"]]
    assert [digest(s.data or ()) for s in steps] == [p["param_sha"] for p in published["steps"]]


@golden
def test_gradients_and_adam_to_the_last_bit(whole: Session) -> None:
    published = json.loads(GOLDEN.read_text())["steps"]
    history = whole.debugger.history
    for trace in [t for t in history.traces.values() if t.episode_kind == "step" and len(t)]:
        expected = published[trace.number - 1]
        (end,) = [last for _, last, phase in trace.phase_spans if phase == BACKWARD]
        grads = [trace.grad_at(node, end) for node in history.program.kept]
        assert digest(grads) == expected["grad_sha"]
        assert sum(g != 0 for g in grads) == expected["nonzero_grads"]
        last = len(trace) - 1
        assert digest(buffer_at(trace, "m", last)) == expected["m_sha"]
        assert digest(buffer_at(trace, "v", last)) == expected["v_sha"]
        assert digest(trace.data_at(node, last) for node in history.program.kept) == expected["param_sha"]
        found = variable(trace, last, "lr_t")
        assert found is not None
        assert repr(found.value) == expected["lr"]


@golden
def test_nodes_of_a_step_follow_the_formula(whole: Session) -> None:
    for trace in [t for t in whole.debugger.history.traces.values() if t.episode_kind == "step" and len(t)]:
        doc = variable(trace, len(trace) - 1, "doc")
        assert doc is not None
        n = min(16, len(doc.value) + 1)
        assert trace.kind.count(CREATE) == 50 * n**2 + 7690 * n + 3


def test_it_runs_on_the_bundled_corpus() -> None:
    session = record(BUNDLED, steps=1, private_folder=True)
    try:
        lines = len(NAMES.read_text(encoding="utf-8").split())
        assert session.debugger.process.output(0).decode().startswith(f"num docs: {lines}\n")
        assert session.debugger.history.steps[0].loss == pytest.approx(3.3, abs=0.2)
    finally:
        session.debugger.close()


@golden
@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("MICROGPT_WHOLE_RUN"), reason="minutes: MICROGPT_WHOLE_RUN=1 runs it")
def test_the_twenty_published_samples() -> None:
    debugger = Debugger(Launch(BUNDLED, data=CORPUS, private_folder=True, goal=goals.End(forget=True)))
    try:
        debugger.wait()
        printed = debugger.process.output(0).decode()
        assert [line.split(": ")[1] for line in printed.splitlines() if line.startswith("sample ")] == SAMPLES.split()
    finally:
        debugger.close()
