"""The seeded bugs: for each the key sequence of ``docs/bugs.md``, run, and that it points at the bug."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from control_fixtures import BUGS, ROOT, said, session

from microgpt_tui.session.debugger import Debugger

GUIDE = ROOT / "docs" / "bugs.md"


def sequences() -> dict[str, list[str]]:
    """Script -> the commands that ``docs/bugs.md`` tells, in order."""
    found: dict[str, list[str]] = {}
    for name, body in re.findall(r"^## \d+\. `(\w+)\.py`$(.*?)(?=^## |\Z)", GUIDE.read_text("utf-8"), re.M | re.S):
        found[name] = [
            line.strip() for block in re.findall(r"```\n(.*?)```", body, re.S) for line in block.splitlines()
        ]
    return found


@pytest.fixture
def debugger(request: pytest.FixtureRequest) -> Iterator[Debugger]:
    made = session(BUGS / f"{request.param}.py")
    yield made
    made.close()


def line_of(name: str, text: str) -> int:
    """Where the bug stands: the line that has this text."""
    lines = (BUGS / f"{name}.py").read_text("utf-8").splitlines()
    return next(i for i, line in enumerate(lines, 1) if text in line)


EXPECTED = {
    "log_of_zero": ["in log(0)", "exps[4]", "× in x[2]", "layer0.mlp_fc2"],
    "exploding_lr": ["math range error", "has gone to 4353 over the last 8 steps", "silu(-4724.38)"],
    "wrong_local_grad": ["local gradient of tanh: recorded 0.804675, finite differences say 0.961848", "see line 61"],
    "assign_for_accumulate": ["only the last contribution is left", "line 92 sets its gradient each time"],
    "forgotten_zeroing": ["still hold what earlier steps left in them", "nothing sets .grad back to zero"],
    "mask_off_by_one": ["+0.08 +0.92 +0 +0", "+0.21 +0.54 +0.25 +0"],
    "wrong_axis": ["+0.1213 +0.264 +0.4348", "+2.711"],
    "reused_node": ["hangs on 20,511 nodes of earlier steps", "line 186 builds on one of them"],
}


def test_the_guide_tells_of_seeded_bugs_and_of_no_others() -> None:
    assert set(sequences()) == set(EXPECTED) <= {p.stem for p in BUGS.glob("*.py")}


@pytest.mark.parametrize("debugger", list(EXPECTED), indirect=True)
def test_the_key_sequence_finds_the_bug(debugger: Debugger) -> None:
    name = debugger.launch.script.stem
    text = said(debugger, *sequences()[name])
    for words in EXPECTED[name]:
        assert words in text, text


@pytest.mark.parametrize("debugger", ["wrong_axis"], indirect=True)
def test_the_check_does_not_cry_wolf(debugger: Debugger) -> None:
    """A bug that leaves every derivative right is none of the gradient check's."""
    assert said(debugger, "phase 2", "check").startswith("every gradient that was checked is right")


def test_the_lines_told_are_those_of_the_scripts() -> None:
    assert line_of("wrong_local_grad", "(1 - t,)") == 61
    assert line_of("assign_for_accumulate", "child.grad = local_grad") == 92
