"""Recording changes nothing: whole programs, run bare and recorded, on every Python of this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support import BUNDLED, NAMES, SAMPLES, run_bare, run_recorded

from microgpt_tui.headless import verify
from microgpt_tui.headless.bare import Outcome
from microgpt_tui.headless.verify import DIFFERENT, NOT_COMPARABLE, Check, Recorded, compare, run_observed
from microgpt_tui.headless.verify import run_recorded as record
from microgpt_tui.session.process import Launch

DESIGNS = ["closures_set", "closures_tuple", "scalar_main", "whole_sequence", "mlp_only", "mixture", "gqa_three_layers"]


def checks_of(launch: Launch, steps: int | None) -> dict[str, Check]:
    recorded = record(launch, steps)
    observed = run_observed(launch, steps or 0)
    return {c.what: c for c in compare(launch, steps, recorded, observed)}


@pytest.mark.parametrize("name", DESIGNS)
def test_every_design_is_the_same_to_the_last_bit(name: str) -> None:
    launch = Launch(SAMPLES / "scripts" / f"{name}.py", data=NAMES)
    checks = checks_of(launch, 2)
    assert not [c for c in checks.values() if c.result == DIFFERENT]
    assert checks["stdout"].result == "same"
    assert checks["ledgers"].detail.split()[0].replace(",", "").isdigit()
    assert int(checks["ledgers"].detail.split()[0].replace(",", "")) > 1000
    if name != "closures_set":
        assert checks["losses"].result == checks["parameters"].result == "same"
        assert not checks["losses"].detail.startswith("0 ")


def test_the_bundled_script_on_every_python(python: str) -> None:
    launch = Launch(BUNDLED, data=NAMES, private_folder=True, python=python)
    checks = checks_of(launch, 2)
    assert {c.what: c.result for c in checks.values()} == dict.fromkeys(
        ("stdout", "losses", "parameters", "ledgers"), "same"
    )


def test_a_set_of_operands_is_said_not_to_be_comparable() -> None:
    """Its order depends on addresses: two bare runs differ in the last bits as well."""
    launch = Launch(SAMPLES / "scripts" / "closures_set.py", data=NAMES)
    recorded = record(launch, 1)
    assert not recorded.ordered
    assert not recorded.faults
    ours = Outcome(b"", b"", None, losses=[1.0])
    other = Outcome(b"", b"", None, losses=[1.0 + 1e-15])
    checks = compare(launch, 1, Recorded(ours, False, 1, 1, []), other)
    assert next(c for c in checks if c.what == "losses").result == NOT_COMPARABLE


def test_a_difference_in_the_last_bit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    launch = Launch(SAMPLES / "scripts" / "mlp_only.py", data=NAMES)
    ours = Outcome(b"", b"", None, losses=[0.1 + 0.2])
    other = Outcome(b"", b"", None, losses=[0.3])
    monkeypatch.setattr(verify, "run_observed", lambda launch, steps: other)  # plain Python agrees with itself
    checks = compare(launch, 1, Recorded(ours, True, 1, 1, [(1, 7, 0.5, 0.25)]), other)
    found = {c.what: c for c in checks}
    assert found["losses"].result == DIFFERENT
    assert "0.30000000000000004" in found["losses"].detail
    assert found["ledgers"].result == DIFFERENT
    assert "node 7" in found["ledgers"].detail


MAIN = """
import argparse, os, sys
from beside import Value
import beside

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    w = [Value(0.5), Value(-0.25)]
    for step in range(options.steps):
        loss = w[0] * w[1] + 2
        loss.backward()
        for p in w:
            p.data -= 0.1 * p.grad
            p.grad = 0
        print(f"{step}: {loss.data!r}")
    print(options.words, sys.argv[1:], sys.path[0] == os.path.dirname(os.path.abspath(__file__)))
    print(__file__, os.path.basename(sys.argv[0]), os.getcwd(), beside.__name__, beside.__file__)
    with open("written", "w") as out:
        out.write("here")

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script with a main guard and argparse, and the module beside it that holds the autograd class.

    It writes a file where it runs: in a folder of the test's own.
    """
    from snippets import PRELUDE

    monkeypatch.chdir(tmp_path)

    (tmp_path / "main.py").write_text(MAIN, encoding="utf-8")
    (tmp_path / "beside.py").write_text(PRELUDE[: PRELUDE.index("random.seed")], encoding="utf-8")
    return tmp_path / "main.py"


def test_a_whole_run_on_every_python(program: Path, python: str) -> None:
    checks = checks_of(Launch(program, ["--steps", "4"], python=python), None)
    assert {c.what: c.result for c in checks.values()} == dict.fromkeys(
        ("stdout", "stderr", "exit status", "losses", "parameters", "ledgers"), "same"
    )
    assert checks["losses"].detail.startswith("4 of 4")
    assert checks["parameters"].detail.startswith("8 numbers after 4 steps")


def test_arguments_main_guard_and_a_module_beside(program: Path, python: str) -> None:
    args = ("--steps", "3", "a word", "--", "-x")
    bare, recorded = run_bare(program, *args, python=python), run_recorded(program, *args, python=python)
    assert recorded == bare
    assert "2: " in recorded.stdout


def test_wrong_arguments_end_it_as_argparse_does(program: Path) -> None:
    bare, recorded = run_bare(program, "--steps", "x"), run_recorded(program, "--steps", "x")
    assert recorded == bare
    assert recorded.status == 2


def test_a_relative_path_stays_relative(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(program.parent)
    bare, recorded = run_bare(Path("main.py")), run_recorded(Path("main.py"))
    assert recorded == bare
    assert (program.parent / "written").read_text() == "here"


def test_a_script_that_is_not_utf_8(tmp_path: Path) -> None:
    from snippets import PRELUDE

    path = tmp_path / "latin.py"
    path.write_bytes(
        ("# -*- coding: latin-1 -*-\n" + PRELUDE + "print('ol\u00e9', len('\u00e9'), (w[0] * 2).data)\n").encode(
            "latin-1"
        )
    )
    bare, recorded = run_bare(path), run_recorded(path)
    assert bare.status == 0
    assert recorded == bare


def test_the_interpreter_is_the_one_asked_for(python: str, tmp_path: Path) -> None:
    from snippets import PRELUDE

    path = tmp_path / "script.py"
    path.write_text(PRELUDE + "print(sys.version, sys.flags.dev_mode, sys.argv)\nshow(w[0] * 2)\n", encoding="utf-8")
    assert run_recorded(path, python=python).stdout == run_bare(path, python=python).stdout
    assert sys.executable
