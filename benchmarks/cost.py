"""What recording costs: CPU time of a recorded free run against the bare script, side by side."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from microgpt_tui.protocol import goals
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch

TARGETS = {"3.11": 0.40, "3.12": 0.50, "3.13": 0.75}
"""Recorded ÷ bare, at most."""
TARGET_NO_COLLECTOR = 1.6
"""Recorded ÷ bare with the collector off, at most."""


@dataclass(frozen=True)
class Cost:
    """CPU seconds per training step: of each kind the best of the rounds, as other tenants only ever add to it."""

    python: str
    bare: float
    no_collector: float
    recorded: float


def children_cpu() -> float:
    """CPU seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu_of(run: Callable[[], None]) -> float:
    """CPU seconds that the processes started by ``run`` take."""
    before = children_cpu()
    run()
    return children_cpu() - before


def measure(python: str, version: str, script: Path, corpus: Path, steps: int, rounds: int) -> Cost:
    """Interleaved runs of 2 and of ``steps`` more steps: the difference is what steps cost.

    Start, setup and what happens once at the end (the last step is sent whole) are in both.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "input.txt").write_bytes(corpus.read_bytes())
        text = script.read_text(encoding="utf-8")

        def write(kind: str, count: int) -> Path:
            body = text.replace("num_steps = 1000", f"num_steps = {count}").replace(
                "num_samples = 20", "num_samples = 0"
            )
            assert body != text
            if kind == "no_collector":
                body = body.replace("import math\n", "import gc; gc.disable(); import math\n", 1)
            path = folder / f"{kind}_{count}.py"
            path.write_text(body.replace("step / num_steps", "step / 1000"), encoding="utf-8")
            return path

        def bare(path: Path) -> None:
            subprocess.run([python, str(path)], cwd=folder, stdout=subprocess.DEVNULL, check=True)

        def recorded(path: Path) -> None:
            goal = goals.End(forget=True)
            debugger = Debugger(Launch(path, data=corpus, python=python, goal=goal))
            debugger.wait()
            debugger.process.end()
            debugger.close()

        runs: dict[str, Callable[[Path], None]] = {"bare": bare, "no_collector": bare, "recorded": recorded}
        scripts = {kind: (write(kind, 2), write(kind, steps + 2)) for kind in runs}
        per_step: dict[str, list[float]] = {kind: [] for kind in runs}
        for _ in range(rounds):
            for kind, run in runs.items():
                empty, full = scripts[kind]
                cost = cpu_of(lambda run=run, full=full: run(full)) - cpu_of(lambda run=run, empty=empty: run(empty))
                per_step[kind].append(cost / steps)
    best = {kind: min(values) for kind, values in per_step.items()}
    return Cost(version, best["bare"], best["no_collector"], best["recorded"])


def report(costs: list[Cost]) -> list[str]:
    """A table."""
    lines = [
        "| Python | bare | bare, collector off | recorded | ÷ bare | target | ÷ collector off | target |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for c in costs:
        first, second = c.recorded / c.bare, c.recorded / c.no_collector
        lines.append(
            f"| {c.python} | {c.bare * 1000:.0f} ms | {c.no_collector * 1000:.0f} ms | {c.recorded * 1000:.0f} ms "
            f"| **{first:.2f}** | ≤ {TARGETS[c.python]:.2f} | **{second:.2f}** | ≤ {TARGET_NO_COLLECTOR} |"
        )
    return lines


def load() -> str:
    """How busy the machine is, for the reader of the figures."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
