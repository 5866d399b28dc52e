"""The true numbers of a script of ``tests/scripts``, told by the script itself in a bare run.

``truth.toml`` names places in each script's text, and what is known there: ``truth.row(layer, head, query, weights)``.
The script runs under plain Python with those calls put in; what they are told is the truth that recognition must meet.

Run as a program, this file is that bare run: ``python truth.py OUT COMMAND…`` where ``truth`` is a builtin.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).resolve().parent / "scripts"
STEP = 2
"""The training step that is looked at."""


@dataclass(frozen=True, eq=False)
class Script:
    """One script and what is known of it."""

    name: str
    kind: str
    what: str
    probes: list[list[str]]
    main: Path
    """Relative to the folder of the scripts."""
    command: list[str]
    """What ``python`` is given, in the script's own folder."""
    stdin: str = ""

    @property
    def folder(self) -> Path:
        """Where the command is given: for a layout the layout's folder."""
        return SCRIPTS / "layouts" / self.name if self.kind == "layouts" else SCRIPTS


def scripts() -> dict[str, Script]:
    """Every script of the table."""
    table = tomllib.loads((SCRIPTS / "truth.toml").read_text("utf-8"))
    found = {}
    for name, entry in table.items():
        main = entry.pop("main", f"{name}.py")
        command = entry.pop("command", [f"{name}.py"])
        found[name] = Script(name, main=Path(main), command=command, **entry)
    return found


# -- told by the script ----------------------------------------------------------------------


def number(value: Any) -> float:
    """A node's data, or a number itself."""
    return float(getattr(value, "data", value))


def flat(value: Any) -> list[Any]:
    """The leaves of nested lists, dicts and rows."""
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in flat(part)]
    if hasattr(value, "__iter__"):
        return [leaf for part in value for leaf in flat(part)]
    return [value]


def matrices(value: Any) -> list[list[list[Any]]]:
    """The matrices in a nest of lists and dicts: lists of rows of numbers."""
    parts = list(value.values()) if isinstance(value, dict) else list(value)
    if parts and all(not isinstance(p, dict) and hasattr(p, "__iter__") for p in parts):
        rows = [list(p) for p in parts]
        if all(row and not hasattr(row[0], "__iter__") for row in rows):
            return [rows]
    return [m for part in parts for m in matrices(part)]


@dataclass
class Recorder:
    """What a script's probes talk to. Steps are counted from 1; what is told outside a step is dropped."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    inside: bool = False
    sequence: int = 0
    flat = staticmethod(flat)

    def step(self) -> None:
        """A training step begins."""
        self.steps.append(
            {"rows": [], "tokens": [], "graph": [], "weights": [], "moments": {}, "losses": [], "inner": 0}
        )
        self.inside = True

    def text(self, sequence: int) -> None:
        """Another text of the step's batch begins."""
        self.sequence = sequence
        self.inside = True

    def row(self, layer: int, head: int, query: int, weights: Any, sequence: int = 0) -> None:
        """One attention row."""
        if self.inside:
            self.steps[-1]["rows"].append([sequence or self.sequence, layer, head, query, [number(w) for w in weights]])

    def token(
        self, position: int, token: int | None, target: int, probabilities: Any, loss: Any, sequence: int = 0
    ) -> None:
        """The prediction at one position."""
        told = [sequence, position, token, target, [number(p) for p in probabilities], number(loss)]
        self.steps[-1]["tokens"].append(told)

    def graph(self, root: Any, operands: Any) -> None:
        """The nodes that ``root`` hangs on: data, and the data of the operands."""
        order, stack, seen = [], [root], set()
        while stack:
            node = stack.pop()
            if id(node) not in seen:
                seen.add(id(node))
                order.append([number(node), sorted(number(k) for k in operands(node))])
                stack += operands(node)
        self.steps[-1]["graph"].append(sorted(order))
        self.steps[-1]["losses"].append(number(root))
        self.inside = False

    def inner(self) -> None:
        """A backward pass inside the forward pass: of another loss."""
        if self.inside:
            self.steps[-1]["inner"] += 1

    def from_tape(self, records: Any) -> Any:
        """The operands of a node that a tape tells."""
        known = {id(out): list(kids) for out, kids, _ in records}
        return lambda node: known.get(id(node), [])

    def softmax(self, logits: Any) -> list[float]:
        """Probabilities where the script makes none."""
        top = max(number(z) for z in logits)
        exps = [math.exp(number(z) - top) for z in logits]
        return [e / sum(exps) for e in exps]

    def end(self, weights: Any, parameters: Any, **moments: Any) -> None:
        """A training step ends: the matrices, and the optimizer's numbers in the order of the parameters."""
        step = self.steps[-1]
        step["weights"] = [[[number(x) for x in row] for row in m] for m in matrices(weights)]
        step["moments"] = {
            name: [[number(p), float(x)] for p, x in zip(parameters, values, strict=True)]
            for name, values in moments.items()
        }
        self.inside = False
        self.sequence = 0

    def sample(self, text: str) -> None:
        """A text that was sampled."""
        self.samples.append(text)


def probed(script: Script, text: str) -> str:
    """A script's text with its probes put in."""
    for old, new in script.probes:
        if text.count(old) != 1:
            raise ValueError(f"{script.name}: the probe's text occurs {text.count(old)} times: {old!r}")
        text = text.replace(old, new)
    return text


def notebook_source(path: Path) -> str:
    """The code cells of a notebook, one after another."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def bare_folder(script: Script, to: Path) -> Path:
    """A copy of the script (of a layout: of its folder) without what only a debugger understands: notebooks."""
    if script.kind == "layouts":
        shutil.copytree(script.folder, to, dirs_exist_ok=True)
    else:
        shutil.copy(SCRIPTS / script.main, to)
    main = to / (SCRIPTS / script.main).relative_to(script.folder)
    if main.suffix == ".ipynb":
        main.write_text(notebook_source(main), "utf-8")
    return main


@cache
def truth(name: str, folder: Path) -> tuple[dict[str, Any], str]:
    """What a script's probes told, and what it printed. ``folder`` is an empty one to work in."""
    script = scripts()[name]
    main = bare_folder(script, folder)
    main.write_text(probed(script, main.read_text("utf-8")), "utf-8")
    out = folder / "truth.json"
    done = subprocess.run(
        [sys.executable, __file__, str(out), *script.command], cwd=folder, input=script.stdin, text=True,
        capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr}")
    return json.loads(out.read_text("utf-8")), done.stdout


def main() -> None:
    """The bare run, with a recorder as a builtin."""
    import builtins
    import runpy

    out, *command = sys.argv[1:]
    recorder = builtins.truth = Recorder()  # type: ignore[attr-defined]
    sys.path[0] = "."
    if command[0] == "-m":
        sys.argv = command[1:]
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = command
        sys.path[0] = str(Path(command[0]).resolve().parent)
        runpy.run_path(command[0], run_name="__main__")
    Path(out).write_text(json.dumps({"steps": recorder.steps, "samples": recorder.samples}), "utf-8")


if __name__ == "__main__":
    main()
