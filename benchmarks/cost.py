"""What recording costs: CPU of both processes in the modes that users get, against the bare script, side by side."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from screen import Terminal

MODES = {
    "run": ("`run`", {"3.11": 0.55, "3.12": 0.55, "3.13": 0.90}, 1.5),
    "value": ("the screen, Value tab", {"3.11": 0.50, "3.12": 0.50, "3.13": 0.80}, 1.4),
    "training": ("the screen, Training tab", {"3.11": 0.50, "3.12": 0.50, "3.13": 0.80}, 1.4),
}
"""Mode -> its name; at most so much of the bare script, by Python; at most so much of it with the collector off."""
TABS = {"value": b"4", "training": b"9"}
BARE = ("bare", "no_collector")
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """CPU seconds per training step, by mode: each the best of the rounds, as other tenants only ever add to it."""

    python: str
    seconds: dict[str, float]


def measure(python: str, version: str, script: Path, corpus: Path, steps: int, rounds: int) -> Cost:
    """Interleaved runs of 2 and of ``steps`` more steps: the difference is what steps cost.

    Start, setup and what happens once at the end (the last step is sent whole) are in both.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "input.txt").write_bytes(corpus.read_bytes())
        per_step: dict[str, list[float]] = {mode: [] for mode in (*BARE, *MODES)}
        for _ in range(rounds):
            for mode, found in per_step.items():
                few, many = (cpu_of(mode, python, shortened(script, folder, mode, n), corpus) for n in (2, steps + 2))
                found.append((many - few) / steps)
        return Cost(version, {mode: min(found) for mode, found in per_step.items()})


def shortened(script: Path, folder: Path, mode: str, steps: int) -> Path:
    """The script with so many steps and no samples; its learning rates stay those of its own schedule."""
    text = script.read_text(encoding="utf-8")
    body = text.replace("num_steps = 1000", f"num_steps = {steps}").replace("num_samples = 20", "num_samples = 0")
    assert body != text
    if mode == "no_collector":
        body = body.replace("import math", "import gc; gc.disable(); import math", 1)
    path = folder / f"{mode}_{steps}.py"
    path.write_text(body.replace("step / num_steps", "step / 1000"), encoding="utf-8")
    return path


def cpu_of(mode: str, python: str, script: Path, corpus: Path) -> float:
    """CPU seconds of a run in a mode, with all its processes."""
    ours = [sys.executable, "-m", "microgpt_tui"]
    launch = [str(script), "--data", str(corpus), "--python", python]
    if mode in BARE:
        return ended([python, str(script)], script.parent)
    return ended([*ours, "run", *launch], script.parent) if mode == "run" else watched([*ours, *launch], TABS[mode])


def ended(command: list[str], folder: Path) -> float:
    """CPU seconds of a command and of what it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def watched(command: list[str], tab: bytes) -> float:
    """CPU seconds of the screen and its script, from the first stop to the script's end, with a tab in front."""
    terminal = Terminal(command, 120, 40)
    try:
        terminal.until(b"FORWARD")
        terminal.settle()
        terminal.press(tab)
        processes = [terminal.process.pid, *children(terminal.process.pid)]
        before = sum(map(cpu_so_far, processes))
        os.write(terminal.master, b" ")
        still(terminal, lambda: cpu_so_far(processes[-1]))
        return sum(map(cpu_so_far, processes)) - before
    finally:
        terminal.close()


def still(terminal: Terminal, used: Callable[[], float], quiet: float = 1.0) -> None:
    """Draw until the script has used no CPU for a while: it waits behind its end."""
    last, since = -1.0, time.monotonic()
    while time.monotonic() - since < quiet:
        terminal.read(0.05)
        now = used()
        if now > last + 1 / TICK:
            last, since = now, time.monotonic()


def cpu_so_far(pid: int) -> float:
    """CPU seconds of a process, its own."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def children(pid: int) -> Iterator[int]:
    """The processes that a process has started."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


def report(costs: list[Cost]) -> list[str]:
    """A table."""
    lines = [
        "| Python | mode | a step | ÷ bare | at most | ÷ collector off | at most |",
        "|---|---|---|---|---|---|---|",
    ]
    for cost in costs:
        bare, no_collector = (cost.seconds[mode] for mode in BARE)
        lines.append(f"| {cost.python} | bare | {bare * 1000:.0f} ms | 1 | | | |")
        lines.append(f"| {cost.python} | bare, collector off | {no_collector * 1000:.0f} ms | | | 1 | |")
        for mode, (name, limits, limit) in MODES.items():
            taken = cost.seconds[mode]
            lines.append(
                f"| {cost.python} | {name} | {taken * 1000:.0f} ms | **{taken / bare:.2f}** | "
                f"{limits[cost.python]:.2f} | **{taken / no_collector:.2f}** | {limit} |"
            )
    return lines


def load() -> str:
    """How busy the machine is, for the reader of the figures."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    from run import CORPUS, SCRIPT, pythons

    chosen = pythons()
    for version in sys.argv[3:] or chosen:
        rounds, steps = int(sys.argv[1]), int(sys.argv[2])
        print("\n".join(report([measure(chosen[version], version, SCRIPT, CORPUS, steps, rounds)])), flush=True)
