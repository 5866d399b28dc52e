"""The scripts to learn from are what they claim to be: the broken ones are wrong, their twins and the layers are right.

Plain Python proves it (``corpus_proof.py``): central differences of a bare run, or a symptom that the broken script
shows in its first step and its twin does not. No debugger takes part.
"""

from __future__ import annotations

import difflib
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support import SAMPLES

BUGS = SAMPLES / "bugs"
LAYERS = sorted((SAMPLES / "layers").glob("*.py"))
TRUTH: list[dict[str, Any]] = json.loads((BUGS / "truth.json").read_text("utf-8"))
IDS = [Path(entry["file"]).stem for entry in TRUTH]
PROOF = Path(__file__).parent / "corpus_proof.py"
RIGHT, WRONG = 1e-5, 1e-3
"""Relative differences from central differences: a right gradient stays below, a wrong one is above."""


@cache
def proof(script: Path, training: str, update: str, symptom: str) -> dict[str, Any]:
    """What a bare run shows."""
    done = subprocess.run(
        [sys.executable, str(PROOF), script.name, training, update, symptom], cwd=script.parent,
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def proved(entry: dict[str, Any], which: str) -> dict[str, Any]:
    """The proof of a broken script, or of its twin."""
    return proof((BUGS / entry[which]).resolve(), entry["training"], entry["update"], entry["symptom"])


@pytest.mark.parametrize("entry", TRUTH, ids=IDS)
def test_a_broken_script_is_wrong_as_it_is_told(entry: dict[str, Any]) -> None:
    found = proved(entry, "file")
    if entry["symptom"] == "exception":
        assert found["exception"]
    elif entry["symptom"] == "gradient":
        assert found["slope"] > WRONG
    else:
        assert found["symptom"]


@pytest.mark.parametrize("entry", TRUTH, ids=IDS)
def test_its_twin_has_right_gradients_and_no_symptom(entry: dict[str, Any]) -> None:
    found = proved(entry, "twin")
    assert found["slope"] < RIGHT
    assert not found["symptom"]
    assert not found["exception"]


@pytest.mark.parametrize("entry", TRUTH, ids=IDS)
def test_the_two_differ_in_the_one_line_that_is_named(entry: dict[str, Any]) -> None:
    """Where the bug is a line that is missing, the line before its place is named."""
    broken, twin = ((BUGS / entry[which]).read_text("utf-8").splitlines() for which in ("file", "twin"))
    changes = [c for c in difflib.SequenceMatcher(None, twin, broken, autojunk=False).get_opcodes() if c[0] != "equal"]
    assert len(changes) == 1
    ((what, first, last, start, end),) = changes
    assert (last - first, end - start) in ((1, 1), (0, 1), (1, 0))
    if what == "insert" and broken[start] == broken[start - 1]:
        start = next(i for i in range(start, 0, -1) if broken[i - 1] != broken[start]) + 1
    assert entry["line"] == (start if what == "delete" else start + 1)


@pytest.mark.parametrize("script", LAYERS, ids=lambda path: path.stem)
def test_a_layer_to_learn_from_has_right_gradients(script: Path) -> None:
    assert proof(script, "# training", "    # update", "gradient")["slope"] < RIGHT


def test_no_broken_script_and_no_twin_is_forgotten() -> None:
    assert {entry["file"] for entry in TRUTH} == {p.name for p in BUGS.glob("*.py")}
    assert {Path(entry["twin"]).name for entry in TRUTH} == {p.name for p in (SAMPLES / "twins").glob("*.py")}
    assert len(TRUTH) >= 20


def test_the_table_for_readers_names_every_broken_script_and_its_line() -> None:
    page = (BUGS / "README.md").read_text("utf-8")
    for entry in TRUTH:
        assert f"`{entry['file']}` | {entry['line']}" in page or f"`{entry['file']}` | after {entry['line']}" in page
