"""The samples in both directions: `check` names the line of every broken one, and finds no fault with a right one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support import BUNDLED, NAMES, SAMPLES

from microgpt_tui.audit.findings import ERROR, Report
from microgpt_tui.session.diagnosis import add_failure
from microgpt_tui.session.examination import Check
from microgpt_tui.session.process import Launch

BUGS = SAMPLES / "bugs"
TRUTH: list[dict[str, Any]] = json.loads((BUGS / "truth.json").read_text("utf-8"))
RIGHT = [BUNDLED, *sorted((SAMPLES / "layers").glob("*.py")), *sorted((SAMPLES / "scripts").glob("*.py"))]
RIGHT = [p for p in RIGHT if p.name not in ("engine_tiny.py", "closures_set.py")]
TWINS = sorted((SAMPLES / "twins").glob("*.py"))
STALE = SAMPLES / "scripts" / "closures_set.py"


@contextmanager
def checked(script: Path, step: int = 3, per_matrix: int = 2, **overrides: str) -> Iterator[Report]:
    """A report; two parameters of each matrix are moved, and all of it at once."""
    report, run = Check(Launch(script, data=NAMES, overrides=overrides), step, per_matrix=per_matrix).run()
    try:
        add_failure(report, run)
        yield report
    finally:
        run.close()


@pytest.mark.parametrize("entry", TRUTH, ids=[t["file"] for t in TRUTH])
def test_a_broken_sample_is_found_by_its_line(entry: dict[str, Any]) -> None:
    with checked(BUGS / entry["file"]) as report:
        assert entry["line"] in [f.line for f in report.findings[:3]], report.text
        assert not [u for u in report.untested if "the rule failed" in u.why]


@pytest.mark.slow
@pytest.mark.parametrize("script", [*RIGHT, *TWINS], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_right_sample_has_no_error(script: Path) -> None:
    with checked(script) as report:
        assert not [f for f in report.findings if f.grade == ERROR], report.text
        assert not [u for u in report.untested if "the rule failed" in u.why]


@pytest.mark.parametrize("script", [SAMPLES / "layers" / "gelu_function.py", SAMPLES / "layers" / "adamw.py"],
                         ids=lambda path: path.name)  # fmt: skip
def test_right_layers_have_no_error(script: Path) -> None:
    with checked(script) as report:
        assert not report.errors, report.text


def test_gradients_that_are_passed_on_once_more_at_every_position_are_found() -> None:
    """Each position has a pass of its own, over keys and values that earlier passes have left gradients in."""
    with checked(STALE) as report:
        first = report.findings[0]
        assert (first.grade, first.rule, first.line) == (ERROR, "twice", 232), report.text
