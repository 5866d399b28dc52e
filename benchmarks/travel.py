"""Going back: what checkpoints cost a free run, what a jump to any finished step costs; prints a table.

python benchmarks/travel.py [STEPS] [JUMPS]
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from microgpt_tui.protocol import goals
from microgpt_tui.session.checkpoints import private_memory
from microgpt_tui.session.commands import execute
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "src" / "microgpt_tui" / "programs" / "microgpt.py"
CORPUS = ROOT / "src" / "microgpt_tui" / "programs" / "names.txt"
TICK = os.sysconf("SC_CLK_TCK")


def tree_cpu() -> dict[int, float]:
    """CPU seconds of this process, and of every process with its mark in the environment that lives (Linux)."""
    found = {0: time.process_time()}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and MARK in (entry / "environ").read_bytes():
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                found[int(entry.name)] = (int(fields[11]) + int(fields[12])) / TICK
        except OSError:
            continue
    return found


def spent(before: dict[int, float]) -> float:
    """CPU seconds since then of all that live now: what ended on the way had been waiting."""
    return sum(cpu - before.get(pid, 0.0) for pid, cpu in tree_cpu().items())


MARK = f"MICROGPT_TRAVEL={os.getpid()}".encode()


def bare(steps: int) -> float:
    """CPU of one step of ``python SCRIPT``: the difference of two runs."""
    found = []
    for count in (2, 2 + steps):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "input.txt").write_bytes(CORPUS.read_bytes())
            text = SCRIPT.read_text(encoding="utf-8").replace("num_samples = 20", "num_samples = 0")
            (folder / "script.py").write_text(
                text.replace("num_steps = 1000", f"num_steps = {count}"), encoding="utf-8"
            )
            process = subprocess.Popen([sys.executable, "script.py"], cwd=folder, stdout=subprocess.DEVNULL)
            _, _, used = os.wait4(process.pid, 0)
            process.returncode = 0
            found.append(used.ru_utime + used.ru_stime)
    return (found[1] - found[0]) / steps


def free(steps: int, memory: int) -> tuple[float, Debugger]:
    """CPU of one step of a free run, of all processes; and the session."""
    made = Launch(SCRIPT, data=CORPUS, private_folder=True, goal=goals.Steps(2, forget=True), history_memory=memory)
    debugger = Debugger(made)
    debugger.wait()
    begin = tree_cpu()
    debugger._live(goals.Steps(2 + steps, forget=True))
    debugger.wait()
    return spent(begin) / steps, debugger


def measured(debugger: Debugger, command: str) -> tuple[float, float]:
    """(CPU of all processes, wall clock) of a command, without the copy that it ends."""
    begin, wall = tree_cpu(), time.perf_counter()
    execute(debugger, command)
    wall = time.perf_counter() - wall
    return spent(begin), wall


def main() -> int:
    """Measure and print."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    jumps = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    os.environ["MICROGPT_TRAVEL"] = str(os.getpid())
    one = bare(20)
    short = min(50, steps)
    pairs = []
    for _ in range(3):
        costs = []
        for memory in (0, 512 << 20):
            cost, debugger = free(short, memory)
            debugger.close()
            costs.append(cost)
        pairs.append(costs[1] / costs[0])
    print(f"one bare step: {one * 1000:.0f} ms CPU")
    print(f"free run with checkpoints / without: {', '.join(f'{p:.3f}' for p in sorted(pairs))} (target ≤ 1.08)")
    cost, debugger = free(steps, 512 << 20)
    checkpoints = debugger.checkpoints
    assert checkpoints is not None
    places = sorted(c.index for c in checkpoints.items)
    sizes = sorted(private_memory(c.pid) >> 20 for c in checkpoints.items)
    print(
        f"{steps} steps: {len(places)} checkpoints of {sizes[0]} to {sizes[-1]} MB, {checkpoints.memory >> 20} in all"
    )
    print(f"  before steps {places}")
    dice = random.Random(1)
    costs = sorted(measured(debugger, f"goto {dice.randint(1, steps)}")[0] / one for _ in range(jumps))
    print(
        f"goto a random step: median {costs[len(costs) // 2]:.1f}, p95 {costs[int(len(costs) * 0.95)]:.1f} bare steps"
    )
    near = []
    for _ in range(10):
        at = dice.randint(3, steps - 1)
        execute(debugger, f"goto {at}")
        near.append(measured(debugger, f"goto {at + dice.choice((-1, 1))}")[0] / one)
    print(f"goto a neighbour: {sorted(near)[len(near) // 2]:.1f} bare steps, at most {max(near):.1f}")
    execute(debugger, f"goto {steps // 2}:20000")
    execute(debugger, f"goto {steps // 2 + 3}")
    print(f"back to a visited step: {measured(debugger, f'goto {steps // 2}:20000')[1] * 1000:.0f} ms")
    name = execute(debugger, "where").data["name"]
    print(f"a branch from there: {measured(debugger, f'set {name} = 0.5')[1] * 1000:.0f} ms")
    debugger.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
