"""The columns of an episode do not depend on how its log was taken: entry by entry, in pieces, or all at once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from control_fixtures import give
from snippets import PRELUDE
from support import BUNDLED, NAMES, SAMPLES, record

from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch

UNEVEN = """
import random
many = [Value(random.gauss(0, 1)) for _ in range(90)]
for step in range(3):
    loss = sum(v * v for v in many)
    loss.backward()
    for i, v in enumerate(many):
        scale = 0 if i < 3 else 0.5
        if i == 60:
            scale = 0.25
        v.data -= scale * v.grad
        v.grad = 0 if i < 75 else 0.0
"""
"""An optimizer whose iterations are identical for a while only: a number's type changes, one iteration does more."""

SCRIPTS = [BUNDLED, *(SAMPLES / "scripts" / f"{name}.py" for name in ("closures_tuple", "mlp_only", "mixture"))]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_columns_are_the_same_however_the_log_is_taken(script: Path, tmp_path: Path) -> None:
    shutil.copy(NAMES, tmp_path / "input.txt")
    assert_same(script, tmp_path)


def test_iterations_that_are_identical_for_a_while_only(tmp_path: Path) -> None:
    script = tmp_path / "uneven.py"
    script.write_text(PRELUDE.split("w = ")[0] + UNEVEN, encoding="utf-8")
    assert_same(script, tmp_path, 1000)


def assert_same(script: Path, folder: Path, least: int = 3000) -> None:
    tried = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("encode_in_pieces.py")), str(script)],
        cwd=folder, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert tried.stderr.split()[1:] == ["entries"]
    assert int(tried.stderr.split()[0]) > least


def test_a_list_that_grows_after_it_was_noted_is_recorded_as_it_was(tmp_path: Path) -> None:
    """``rows[i] += [...]`` changes the list in place: what was noted before must not show what came later."""
    session = record(SAMPLES / "twins" / "key_of_another_head.py", data=NAMES)
    try:
        step = session.step
        assert "outside" not in {step.ops[op] for op in step.op}  # no node is met before it is made
    finally:
        session.debugger.close()


def test_nothing_of_an_episode_that_was_looked_at_stays(tmp_path: Path) -> None:
    """The collector is off inside a step: encoders in cycles would hold their steps' graphs."""
    script = tmp_path / "script.py"
    counted = "sum(type(o).__name__ in ('Encoder', 'Nodes') for o in gc.get_objects())"
    step = "    loss = w * w\n    loss.backward()\n    w.data -= 0.1 * w.grad\n    w.grad = 0\n"
    loop = f"for i in range(8):\n    print(i, {counted})\n{step}"
    script.write_text(f"{PRELUDE.split('w = ')[0]}\nimport gc\nw = Value(0.5)\n{loop}", encoding="utf-8")
    debugger = Debugger(Launch(script))
    debugger.wait()
    give(debugger, "step", "nextstep", "phase", "phase", "phase", "phase", "nextstep", "goto 5:end", "run")
    counts = [int(line.split()[1]) for line in debugger.process.output(0).decode().splitlines()]
    debugger.close()
    assert len(counts) == 8
    assert max(counts) <= 2, "that of the running step"
    assert counts[-1] == 0
