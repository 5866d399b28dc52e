"""Every way that plain Python is given a program, and what it finds there: ``run`` prints what ``python`` prints."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from snippets import PRELUDE

BODY = """
for step in range(3):
    loss = sum((w_i * 2 - 1) ** 2 for w_i in w)
    loss.backward()
    for p in w:
        p.data -= 0.1 * p.grad
        p.grad = 0
    print(step, loss.data)
"""
ENGINE, TRAIN = PRELUDE.partition("random.seed(1)")[0], PRELUDE.partition("random.seed(1)")[1:]
USES = "import random\nfrom {engine} import Value\n" + "".join(TRAIN) + BODY


def steps(folder: Path, *words: str, stdin: str | None = None) -> list[object]:
    """What it prints under ``microgpt-tui run``, cut into three training steps."""
    given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    done = subprocess.run(
        [sys.executable, "-m", "microgpt_tui", "run", *words, "--json"], cwd=folder, capture_output=True, text=True,
        check=False, timeout=100, **given,
    )  # type: ignore[call-overload]  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    lines: list[object] = document["output"].splitlines()
    assert sum(e["kind"] == "step" for e in document["episodes"]) == 3, document
    return lines


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__s__", "/").replace("__d__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


@pytest.fixture
def plain(tmp_path: Path) -> list[object]:
    """What the same program prints as one file."""
    write(tmp_path, one__d__py=PRELUDE + BODY)
    return steps(tmp_path, "one.py")


LAYOUTS = {
    "a package beside it": (
        {"lib__s__engine__d__py": ENGINE, "run__d__py": USES.format(engine="lib.engine")}, ["run.py"],
    ),
    "a folder on sys.path": (
        {"lib__s__engine__d__py": ENGINE,
         "run__d__py": "import sys, os\nHERE = os.path.dirname(os.path.abspath(__file__))\n"
                       "sys.path.insert(0, os.path.join(HERE, 'lib'))\n" + USES.format(engine="engine")},
        ["run.py"],
    ),
    "python -m package.module": (
        {"pkg__s____init____d__py": "", "pkg__s__engine__d__py": ENGINE,
         "pkg__s__run__d__py": USES.format(engine=".engine")},
        ["-m", "pkg.run"],
    ),
    "python -m package": (
        {"pkg__s____init____d__py": "", "pkg__s__engine__d__py": ENGINE,
         "pkg__s____main____d__py": USES.format(engine=".engine")},
        ["-m", "pkg"],
    ),
    "an installed package": (
        {"site-packages__s__scalars__s____init____d__py": "from .engine import Value\n",
         "site-packages__s__scalars__s__engine__d__py": ENGINE,
         "run__d__py": "import sys\nsys.path.append('site-packages')\n" + USES.format(engine="scalars")},
        ["run.py"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "command"), LAYOUTS.values(), ids=LAYOUTS)
def test_the_class_is_found_in_every_layout(
    files: dict[str, str], command: list[str], tmp_path: Path, plain: list[object]
) -> None:
    write(tmp_path, **files)
    assert steps(tmp_path, *command) == plain != []


def test_a_program_from_standard_input(tmp_path: Path, plain: list[object]) -> None:
    assert steps(tmp_path, "-", stdin=PRELUDE + BODY) == plain


def test_a_notebook_runs_its_code_cells(tmp_path: Path, plain: list[object]) -> None:
    prelude = PRELUDE.replace("from __future__ import annotations\n", "")  # must come first: of no use in a notebook
    cells = [("markdown", "# words"), ("code", "%time 1\n!ls\n" + prelude), ("code", "%%html\n<b>"), ("code", BODY)]
    document = {"cells": [{"cell_type": kind, "source": text.splitlines(True)} for kind, text in cells]}
    write(tmp_path, book__d__ipynb=json.dumps(document))
    assert steps(tmp_path, "book.ipynb") == plain


ASKS = PRELUDE + "w[0].data = float(input())\n" + BODY


def test_what_is_piped_in_is_what_the_script_reads(tmp_path: Path) -> None:
    write(tmp_path, asks__d__py=ASKS, answer="2.5\n")
    assert steps(tmp_path, "asks.py", stdin="2.5\n") == steps(tmp_path, "asks.py", "--stdin", "answer") != []


def test_with_data_the_script_finds_its_own_files_too(tmp_path: Path) -> None:
    reads = "w[0].data = float(open('mine.txt').read()) + len(open('input.txt').read())\n"
    write(tmp_path, reads__d__py=PRELUDE + reads + BODY, mine__d__txt="2.5", corpus="abc", input__d__txt="other")
    write(tmp_path, same__d__py=PRELUDE + "w[0].data = 5.5\n" + BODY)
    assert steps(tmp_path, "reads.py", "--data", "corpus") == steps(tmp_path, "same.py")
    assert (tmp_path / "input.txt").read_text() == "other"
