"""Proves by a bare run what is said of a broken script, or of its correct twin; no debugger takes part.

``python corpus_proof.py FILE TRAINING UPDATE SYMPTOM`` runs the first training step and prints what it found as JSON:
``slope``, the largest relative difference between the script's gradients and central differences along random
directions of all parameters; ``symptom``, an expression in the script's names at the end of the step; ``exception``.
TRAINING and UPDATE are what the lines begin with where the loop begins and where the parameters are updated.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import sys
from pathlib import Path
from typing import Any

STEP = 1e-5
DIRECTIONS = 2


class Enough(Exception):
    """What was to be seen has been seen."""

    def __init__(self, value: Any = None) -> None:
        super().__init__()
        self.value = value


def instrumented(source: str, training: str, update: str) -> str:
    """The source with a call before the loop, one at the beginning of each iteration, one before the update."""
    lines = source.splitlines(keepends=True)
    start = next(i for i, line in enumerate(lines) if line.startswith(training))
    loop = next(i for i in range(start, len(lines)) if lines[i].startswith("for step in "))
    at = next(i for i in range(loop, len(lines)) if lines[i].startswith(update))
    lines.insert(at, "    _before_update(globals())\n")
    lines.insert(loop + 1, "    _iteration(globals())\n")
    lines.insert(loop, "_before_training(globals())\n")
    return "".join(lines)


def parameters(names: dict[str, Any]) -> list[Any]:
    """Every number of every matrix once."""
    tables = names.get("W") or names["state_dict"]
    found = {id(p): p for table in tables.values() for row in table for p in row}
    return list(found.values())


class Run:
    """One run of the first training step."""

    def __init__(self, code: Any, path: str, move: list[float] | None, symptom: str, source: str) -> None:
        self.code, self.path, self.move, self.symptom, self.source = code, path, move, symptom, source
        self.loss = 0.0
        self.before: list[float] = []
        self.grads: list[float] = []
        self.found = False
        self.iterations = 0

    def __call__(self) -> Run:
        names = {
            "__name__": "__main__", "__file__": self.path, "_before_training": self.before_training,
            "_iteration": self.iteration, "_before_update": self.before_update,
        }  # fmt: skip
        with contextlib.suppress(Enough), contextlib.redirect_stdout(io.StringIO()):
            exec(self.code, names)
        return self

    def before_training(self, names: dict[str, Any]) -> None:
        """Move the parameters, and see what ``backward`` is called on."""
        own = parameters(names)
        for p, d in zip(own, self.move or [], strict=False):
            p.data += d
        backward = names["Value"].backward

        def seen(root: Any) -> None:
            self.loss = root.data
            if self.move is not None:
                raise Enough
            backward(root)

        names["Value"].backward = seen
        self.before = [p.data for p in own]

    def before_update(self, names: dict[str, Any]) -> None:
        """The pass is done: its gradients."""
        if not self.grads:
            self.grads = [p.grad for p in parameters(names)]

    def iteration(self, names: dict[str, Any]) -> None:
        """The second iteration begins: is the symptom there?"""
        self.iterations += 1
        if self.iterations == 2:
            if self.symptom not in ("gradient", "exception"):
                names.update(before=self.before, after=[p.data for p in parameters(names)], grads=self.grads)
                self.found = bool(eval(self.symptom, names))
            raise Enough


def prove(path: Path, training: str, update: str, symptom: str) -> dict[str, Any]:
    """What a script shows in its first training step."""
    source = path.read_text("utf-8")
    code = compile(instrumented(source, training, update), str(path), "exec")

    def run(move: list[float] | None) -> Run:
        return Run(code, str(path), move, symptom, source)()

    try:
        own = run(None)
    except (ArithmeticError, ValueError) as error:
        return {"slope": 0.0, "symptom": False, "exception": type(error).__name__}
    chance = random.Random(1)
    worst = 0.0
    for _ in range(DIRECTIONS):
        way = [chance.gauss(0, 1) for _ in own.grads]
        up, down = (run([sign * STEP * d for d in way]).loss for sign in (1, -1))
        expected = (up - down) / (2 * STEP)
        told = sum(g * d for g, d in zip(own.grads, way, strict=True))
        worst = max(worst, abs(told - expected) / max(abs(expected), 1e-3))
    return {"slope": worst, "symptom": own.found, "exception": ""}


if __name__ == "__main__":
    print(json.dumps(prove(Path(sys.argv[1]), *sys.argv[2:])))
