"""Scripts of every style: what is recognised equals what the script itself tells in a bare run.

``tests/scripts/truth.toml`` lists them; ``WRONG`` lists what is not right today. Whoever mends it takes the entry out.
"""

from __future__ import annotations

import atexit
import math
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from recognised import Seen, Step, recognised
from scripts_wrong import WRONG
from supported import PAGE, page
from truth import SCRIPTS, STEP, Script, scripts, truth

TABLE = scripts()
Told = dict[str, Any]
CLOSE = 1e-9


def near(a: Any, b: Any) -> bool:
    """Equal but for the last bits, in nested lists; NaN equals NaN."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(near, a, b))
    if isinstance(a, float | int) and isinstance(b, float | int):
        return math.isclose(a, b, rel_tol=CLOSE, abs_tol=1e-12) or (a != a and b != b)
    return bool(a == b)


def folder(name: str) -> Path:
    """An empty folder that lives as long as the tests."""
    made = TemporaryDirectory(prefix=f"truth-{name}-")
    atexit.register(made.cleanup)
    return Path(made.name)


@cache
def told(name: str) -> tuple[Told, str]:
    """The truth of a script and what it prints."""
    return truth(name, folder(name))


@cache
def seen(name: str) -> Seen:
    """What is recognised in it."""
    script = TABLE[name]
    return recognised(script, script.folder)


def the_step(name: str) -> tuple[Told, Step]:
    """The step that is looked at, told and seen: the one that has its losses."""
    step = told(name)[0]["steps"][STEP - 1]
    for found in seen(name).steps:
        if all(any(near(loss, own) for own in found.losses) for loss in step["losses"]):
            return step, found
    losses = [s.losses for s in seen(name).steps]
    raise AssertionError(f"no training step with {step['losses']}: {losses}")


# -- what is compared ------------------------------------------------------------------------


def output(name: str) -> None:
    """It prints what it prints under plain Python."""
    assert seen(name).output == told(name)[1]
    assert seen(name).status == 0


def graph(name: str) -> None:
    """Nodes and operands below each root of a backward pass."""
    step, found = the_step(name)
    assert len(found.losses) == len(step["losses"]) + step["inner"], "passes"
    for true in step["graph"]:
        edges = sum(len(operands) for _, operands in true)
        assert any(near(true, own) for own in found.graphs), f"{len(true)} nodes, {edges} edges"


def attention(name: str) -> None:
    """Every row of every head of every layer, and no other."""
    step, found = the_step(name)
    true = {tuple(row[:4]): trimmed(row[3], row[4]) for row in step["rows"]}
    rows = {place: trimmed(place[3], weights) for place, weights in found.rows.items()}
    assert sorted(rows) == sorted(true), "rows"
    for place, weights in true.items():
        assert near(weights, rows[place]), place


def trimmed(query: int, weights: list[float]) -> list[float]:
    """A row without the zeros of positions that are masked."""
    return weights[: query + 1] if not any(weights[query + 1 :]) else weights


def tokens(name: str) -> None:
    """Token, target, distribution and loss at each position."""
    step, found = the_step(name)
    true = {(s, p): (token, target, probs, loss) for s, p, token, target, probs, loss in step["tokens"]}
    assert sorted(found.tokens) == sorted(true), "positions"
    for place, (token, target, probabilities, loss) in true.items():
        assert found.tokens[place][1] == target, place
        assert token is None or found.tokens[place][0] == token, place
        assert near(probabilities, found.tokens[place][2]), place
        assert near(loss, found.tokens[place][3]), place


def weights(name: str) -> None:
    """Every matrix, with its shape, after the step."""
    step, found = the_step(name)
    for matrix in step["weights"]:
        assert any(near(matrix, other) for other in found.weights), (len(matrix), len(matrix[0]))


def optimizer(name: str) -> None:
    """The optimizer's numbers for each parameter after the step; none where it has none."""
    step, found = the_step(name)
    assert len(found.moments) == len(step["moments"]), list(found.moments)
    for moment, pairs in step["moments"].items():
        own = {data for data, _ in pairs}
        whole = len(pairs) == len(next(iter(found.moments.values())))
        columns = [sorted(p for p in column if whole or p[0] in own) for column in found.moments.values()]
        assert any(near(sorted(pairs), column) for column in columns), moment


def samples(name: str) -> None:
    """Each text that it samples."""
    true = told(name)[0]["samples"]
    assert true
    assert seen(name).samples == true


ASPECTS: dict[str, Callable[[str], None]] = {
    f.__name__: f for f in (output, graph, attention, tokens, weights, optimizer, samples)
}


def kinds() -> dict[str, list[Script]]:
    """The scripts by what they are examples of."""
    found: dict[str, list[Script]] = {}
    for script in TABLE.values():
        found.setdefault(script.kind, []).append(script)
    return found


FAST = 3
"""The first so many scripts of each kind are looked at even where the slow tests are left out."""


def cases() -> list[object]:
    """Every script and aspect, with what is wrong today marked."""
    found = []
    quick = {script.name for group in kinds().values() for script in group[:FAST]}
    for name in TABLE:
        for aspect in ASPECTS:
            reason = WRONG.get(name, {}).get(aspect) or WRONG.get(name, {}).get("all")
            marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
            if name not in quick:
                marks.append(pytest.mark.slow)
            found.append(
                pytest.param(name, aspect, id=f"{name}-{aspect}", marks=[*marks, pytest.mark.xdist_group(name)])
            )
    return found


@pytest.mark.parametrize(("name", "aspect"), cases())
def test_what_is_recognised_is_true(name: str, aspect: str) -> None:
    ASPECTS[aspect](name)


def verified() -> list[object]:
    """Every script, with those that ``verify`` cannot vouch for today marked."""
    found = []
    for name in TABLE:
        reason = WRONG.get(name, {}).get("verify") or WRONG.get(name, {}).get("all")
        marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
        found.append(pytest.param(name, id=name, marks=marks))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", verified())
def test_verify_is_green(name: str) -> None:
    script = TABLE[name]
    done = subprocess.run(
        [sys.executable, "-m", "microgpt_tui", "verify", *script.command], cwd=script.folder, input=script.stdin,
        text=True, capture_output=True, check=False, timeout=120, env={**os.environ, "PYTHONHASHSEED": "0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_fifty_and_each_is_in_the_table() -> None:
    assert len(TABLE) >= 50
    mains = {SCRIPTS / script.main for script in TABLE.values()}
    assert set(SCRIPTS.glob("*.py")) <= mains
    assert {p.name for p in (SCRIPTS / "layouts").iterdir() if p.is_dir()} == {
        name for name, script in TABLE.items() if script.kind == "layouts"
    }


def test_what_is_said_to_be_wrong_is_of_this_table() -> None:
    for name, reasons in WRONG.items():
        assert name in TABLE
        assert set(reasons) <= {*ASPECTS, "verify", "all"}


def test_the_page_of_what_is_supported_is_made_from_these_tests() -> None:
    assert PAGE.read_text("utf-8") == page(), "python tests/supported.py writes it"


def report() -> str:
    """Today's state per script, as a table: what is right, per aspect."""
    lines = [f"{'script':<28} {'kind':<13} " + " ".join(f"{a:<9}" for a in ASPECTS)]
    for name, script in TABLE.items():
        cells = []
        for check in ASPECTS.values():
            try:
                check(name)
                cells.append("yes")
            except Exception as error:
                cells.append("-" if isinstance(error, AssertionError) else type(error).__name__[:9])
        lines.append(f"{name:<28} {script.kind:<13} " + " ".join(f"{c:<9}" for c in cells))
        print(lines[-1], flush=True)
    return "\n".join(lines)


if __name__ == "__main__":
    report()
