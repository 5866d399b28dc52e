"""A recorded script is the script: whatever of the language it uses, it prints, raises and returns the same."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from snippets import ALONE, PRELUDE, SNIPPETS
from support import Ended, run_bare, run_recorded


def both(path: Path, python: str) -> tuple[Ended, Ended]:
    return run_bare(path, python=python), run_recorded(path, python=python)


@pytest.mark.parametrize("name", [name for name in SNIPPETS if name != "uncaught recursion"])
def test_each_feature_of_the_language(name: str, tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(PRELUDE + SNIPPETS[name], encoding="utf-8")
    bare, recorded = both(path, sys.executable)
    assert recorded == bare


def test_all_of_them_in_one_script_on_every_python(python: str, tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    parts = [
        text if "__future__" not in text else ""
        for name, text in SNIPPETS.items() if name not in ALONE
    ]  # fmt: skip
    renewed = "\nrandom.seed(1)\nw = [Value(random.gauss(0, 1)) for _ in range(4)]\n"
    path.write_text(PRELUDE + renewed.join(parts), encoding="utf-8")
    bare, recorded = both(path, python)
    assert bare.status == 0, bare.stderr
    assert recorded == bare


@pytest.mark.parametrize("name", ["uncaught", "uncaught chain", "exit handlers", "namespaces"])
def test_the_end_of_the_process_on_every_python(name: str, python: str, tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(PRELUDE + SNIPPETS[name], encoding="utf-8")
    bare, recorded = both(path, python)
    assert recorded == bare


def test_an_endless_recursion_ends_as_it_does_bare(python: str, tmp_path: Path) -> None:
    """The hooks need a frame of their own, so that the last levels of an endless recursion are not counted alike."""
    path = tmp_path / "script.py"
    path.write_text(PRELUDE + SNIPPETS["uncaught recursion"], encoding="utf-8")
    bare, recorded = both(path, python)
    assert (recorded.stdout, recorded.status) == (bare.stdout, bare.status) == ("", 1)
    for ended in (bare, recorded):
        assert "return w[0] * f(n + 1)" in ended.stderr
        assert "microgpt_tui" not in ended.stderr
        assert ended.stderr.splitlines()[-1].startswith("RecursionError: maximum recursion depth exceeded")
