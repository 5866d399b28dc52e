"""Two scripts beside each other: every seeded bug against its twin, and what is the same is said to be the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import BUNDLED, NAMES, SAMPLES

TRUTH = json.loads((SAMPLES / "bugs" / "truth.json").read_text(encoding="utf-8"))
CHANGED = "x = [x_i.relu() for x_i in x]"


def compared(*words: str) -> tuple[int, dict[str, Any]]:
    """Exit status and JSON document of ``compare``."""
    done = subprocess.run(
        [sys.executable, "-m", "microgpt_tui", "compare", *words, "--json"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("bug", TRUTH, ids=[b["file"].removesuffix(".py") for b in TRUTH])
def test_a_bug_and_its_twin_part_and_the_differing_line_is_named(bug: dict[str, Any]) -> None:
    twin, script = SAMPLES / "bugs" / bug["twin"], SAMPLES / "bugs" / bug["file"]
    status, told = compared(str(twin), str(script), "--data", str(NAMES))
    assert status == 1
    assert told["divergence"] is not None
    named = {mine or base - 1 for base, _, mine, _ in told["source"]}  # a missing line: the one before it
    assert bug["line"] in named | {told["divergence"]["mine"]["line"]}
    assert told["divergence"]["base"]["line"] or told["divergence"]["mine"]["line"]


def test_a_script_is_the_same_as_its_copy_to_the_last_bit(tmp_path: Path) -> None:
    copy = tmp_path / "copy.py"
    copy.write_text(BUNDLED.read_text(encoding="utf-8"), encoding="utf-8")
    status, told = compared(str(copy), "--steps", "2")
    assert status == 0
    assert told["same"]
    assert (told["divergence"], told["functions"], told["source"]) == (None, [], [])
    for step in told["steps"]:
        assert step["loss"][0] == step["loss"][1]
        assert not any(step["predictions"])
        assert len(step["attention"]) == 4


def test_a_changed_layer_is_told_with_both_expressions_and_their_numbers(tmp_path: Path) -> None:
    text = BUNDLED.read_text(encoding="utf-8")
    assert CHANGED in text
    mine = tmp_path / "squared.py"
    mine.write_text(text.replace(CHANGED, "x = [x_i.relu() ** 2 for x_i in x]"), encoding="utf-8")
    status, told = compared(str(mine))
    assert status == 1
    line = 1 + text[: text.index(CHANGED)].count("\n")
    parts = told["divergence"]
    assert (parts["base"]["line"], parts["mine"]["line"]) == (line, line)
    assert "relu(" in parts["base"]["said"]
    assert "** 2" in parts["mine"]["said"]
    assert [(f["name"], f["change"]) for f in told["functions"]] == [("gpt", "changed")]
    (step,) = told["steps"]
    assert step["operations"]["pow"][1] > step["operations"]["pow"][0]
    assert not any(step["attention"].values())  # the layer comes after it
    assert all(step["predictions"])


def test_a_renamed_function_is_recognised_by_its_structure(tmp_path: Path) -> None:
    mine = tmp_path / "renamed.py"
    mine.write_text(BUNDLED.read_text(encoding="utf-8").replace("rmsnorm", "normalise"), encoding="utf-8")
    _, told = compared(str(mine))
    assert told["divergence"] is None
    assert ("rmsnorm → normalise", "renamed") in [(f["name"], f["change"]) for f in told["functions"]]


def test_nothing_to_compare_is_bad_input() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "microgpt_tui", "compare"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "compare MINE" in done.stderr
