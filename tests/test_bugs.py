"""The guide to the bugs: its table is the truth of the samples, and its step-by-step commands find what it tells."""

from __future__ import annotations

import json
import re

from control_fixtures import BUGS, ROOT, give, session

GUIDE = (ROOT / "docs" / "bugs.md").read_text("utf-8")


def test_the_table_tells_of_every_seeded_bug_and_its_line() -> None:
    truth = {t["file"]: t["line"] for t in json.loads((BUGS / "truth.json").read_text("utf-8"))}
    rows = dict(re.findall(r"^\| `(\w+\.py)` \| [^|]+ \| (\d+) \|", GUIDE, re.M))
    assert {name: int(line) for name, line in rows.items()} == truth


def test_the_tutorial_finds_its_bug() -> None:
    commands = [line for block in re.findall(r"```\n(.*?)```", GUIDE, re.S) for line in block.splitlines()]
    assert commands == ["continue", "rootcause", "rootcause go"]
    debugger = session(BUGS / "log_of_zero.py")
    try:
        results = give(debugger, *commands)
    finally:
        debugger.close()
    for words in ("in log(0)", "exps[4]", "term 18 of x[2]", "layer0.mlp_fc2"):
        assert words in results[1].text
    assert "114" in results[2].text
