"""Classes whose grad is None before one comes: each way of writing that is an accumulation, and None is no gradient."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from microgpt_tui.cli import main
from microgpt_tui.protocol import goals
from microgpt_tui.protocol.codes import ACCUMULATE, ASSIGN, ZERO
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.ledger import adds_up

SCRIPT = Path(__file__).parent / "scripts" / "operand_grad_none.py"
WRITTEN = "                kid.grad = share if kid.grad is None else kid.grad + share\n"
FORMS = {
    "choice": WRITTEN,
    "or": "                kid.grad = (kid.grad or 0.0) + slope * node.grad\n",
    "0 if None": "                kid.grad = (0 if kid.grad is None else kid.grad) + share\n",
    "if not None": "                kid.grad = share + (kid.grad if kid.grad is not None else 0.0)\n",
    "if else": "                if kid.grad is None:\n                    kid.grad = slope * node.grad\n"
    "                else:\n                    kid.grad += slope * node.grad\n",
}


@pytest.fixture(params=list(FORMS))
def debugger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Debugger]:
    """Two steps of a script that writes it so, and sets the parameters' grads to None."""
    text = SCRIPT.read_text("utf-8")
    assert WRITTEN in text
    script = tmp_path / "none.py"
    script.write_text(text.replace(WRITTEN, FORMS[request.param]), "utf-8")
    found = Debugger(Launch(script, goal=goals.Steps(2), history_memory=0))
    found.wait()
    yield found
    found.close()


def test_it_is_an_accumulation(debugger: Debugger) -> None:
    traces = [t for t in debugger.history.traces.values() if t.episode_kind == "step" and t.complete]
    assert len(traces) == 2
    printed = [float(line.split()[-1]) for line in debugger.process.output(0).decode().splitlines()[:2]]
    for trace, loss in zip(traces, printed, strict=True):
        assert trace.loss() == pytest.approx(loss, abs=1e-8)
        kinds = trace.kind.tobytes()
        assert kinds.count(ASSIGN) == 1  # the loss's own
        assert kinds.count(ACCUMULATE) > 1000
        assert kinds.count(ZERO) == len(trace.updated)
        assert all(adds_up(trace, node) for node in range(trace.end_node))
        assert all(grad == grad for grad in trace.start_grad)


def test_every_sum_is_the_grad_to_the_last_bit(debugger: Debugger, capsys: pytest.CaptureFixture[str]) -> None:
    """A first contribution of -0.0 too, which is assigned, not added to 0."""
    assert main(["verify", str(debugger.launch.script), "--steps", "2"]) == 0
    assert "sums equal the node's own grad" in capsys.readouterr().out
