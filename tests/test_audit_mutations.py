"""Random changes of derivatives, pass and optimizer: those that change a number are reported, the others are not.

What a change does is told by the recorded steps themselves: the gradients before the first update of each step, and
the parameters after it, beside those of the script as it is.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
from mutations import Mutant, mutants
from support import BUNDLED, NAMES, SAMPLES

from microgpt_tui.audit.findings import Report
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.diagnosis import add_failure
from microgpt_tui.session.examination import Check
from microgpt_tui.session.process import Launch

CHANGED = 1e-6
"""A gradient or an update that differs by more must be reported."""
SCRIPTS = {
    "gpt": (BUNDLED, {"n_embd": "4", "n_head": "2", "block_size": "4", "num_steps": "3", "num_samples": "1"}),
    "closures": (
        SAMPLES / "scripts" / "closures_tuple.py",
        {"n_embd": "4", "n_hidden": "4", "block_size": "4", "num_steps": "3"},
    ),
    "list": (Path(__file__).parent / "scripts" / "operand_closure_list.py", {}),
}
Numbers = list[tuple[list[float], list[float]]]


def checked(folder: Path, text: str, overrides: dict[str, str]) -> tuple[Report, Numbers]:
    """The report on a script, and of each step the gradients before its update and the parameters at its end."""
    script = folder / "script.py"
    script.write_text(text, "utf-8")
    report, run = Check(Launch(script, data=NAMES, overrides=overrides), 3, per_matrix=2).run()
    try:
        add_failure(report, run)
        return report, _numbers(run)
    finally:
        run.close()


def _numbers(run: Debugger) -> Numbers:
    steps = [t for t in run.history.traces.values() if t.episode_kind == "step" and t.complete]
    found = []
    for t in steps:
        end = t.update_event[0] if len(t.update_event) else len(t)
        kept = t.program.kept
        found.append(([t.grad_at(n, end) for n in kept], [t.data_at(n, len(t)) for n in kept]))
    return found


def _difference(a: Numbers, b: Numbers) -> float:
    if len(a) != len(b) or any(len(x[0]) != len(y[0]) for x, y in zip(a, b, strict=True)):
        return math.inf
    pairs = [(p, q) for x, y in zip(a, b, strict=True) for s, t in zip(x, y, strict=True)
             for p, q in zip(s, t, strict=True)]  # fmt: skip
    return max((abs(p - q) if p == p and q == q else math.inf for p, q in pairs), default=math.inf)


def _wrong(mutant: Mutant, report: Report, changed: float) -> str:
    """What is to say against the report on a mutant."""
    if changed > CHANGED and not report.findings:
        return f"{mutant.what}: changes a number by {changed:.3g}, and nothing is reported"
    if changed <= CHANGED and report.errors and not mutant.latent:
        return f"{mutant.what}: changes nothing, and is accused: {report.findings[0].text}"
    failed = [u.why for u in report.untested if "the rule failed" in u.why]
    return f"{mutant.what}: {failed[0]}" if failed else ""


def _judged(folder: Path, name: str, count: int, seed: int) -> list[str]:
    script, overrides = SCRIPTS[name]
    source = script.read_text("utf-8")
    base, numbers = checked(folder, source, overrides)
    assert not base.findings, base.text
    assert len(numbers) == 3
    answers = []
    for mutant in mutants(source, count, seed):
        report, others = checked(folder, mutant.text, overrides)
        answers.append(_wrong(mutant, report, _difference(numbers, others)))
    return [a for a in answers if a]


@pytest.mark.parametrize("name", SCRIPTS)
def test_some_mutations(tmp_path: Path, name: str) -> None:
    assert _judged(tmp_path, name, 4, seed=1) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_many_mutations(tmp_path: Path, name: str) -> None:
    """``MUTANTS=67``: so many of each script, 201 in all."""
    assert _judged(tmp_path, name, int(os.environ.get("MUTANTS", "24")), seed=2) == []
