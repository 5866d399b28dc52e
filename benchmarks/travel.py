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
from microgpt_tui.session.checkpoints import Checkpoints, private_memory
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


def say(*words: object) -> None:
    """Print at once: all of it takes minutes."""
    print(*words, flush=True)


def ratio(steps: int, rounds: int) -> list[float]:
    """CPU of a free run with checkpoints ÷ without, side by side."""
    found = []
    for _ in range(rounds):
        costs = []
        for memory in (0, 512 << 20):
            cost, debugger = free(steps, memory)
            debugger.close()
            costs.append(cost)
        found.append(costs[1] / costs[0])
        say(f"  {costs[0] * 1000:.0f} ms a step without, {costs[1] * 1000:.0f} with: {found[-1]:.3f}")
    return sorted(found)


def spread(costs: list[float]) -> str:
    """Median, p95 and the most."""
    ordered = sorted(costs)
    return (
        f"median {ordered[len(ordered) // 2]:.1f}, p95 {ordered[int(len(ordered) * 0.95)]:.1f}, most {ordered[-1]:.1f}"
    )


def sizes(checkpoints: Checkpoints) -> str:
    """How many there are, before which steps, and their private memory."""
    checkpoints.welcome()
    found = sorted((c.index, private_memory(c.pid) >> 20) for c in checkpoints.items)
    memory = sorted(size for _, size in found)
    return (
        f"{len(found)} checkpoints of {memory[0]} to {memory[-1]} MB (median {memory[len(memory) // 2]}), "
        f"{sum(memory)} in all, {checkpoints.dropped} let go; before steps {[index for index, _ in found]}"
    )


def main() -> int:
    """Measure and print."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    jumps = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    os.environ["MICROGPT_TRAVEL"] = str(os.getpid())
    one = bare(20)
    say(f"one bare step: {one * 1000:.0f} ms CPU; load {os.getloadavg()[0]:.1f}")
    pairs = ratio(min(50, steps), 3)
    say(f"free run with checkpoints / without: {', '.join(f'{p:.3f}' for p in pairs)} (target ≤ 1.08)")
    cost, debugger = free(steps, 512 << 20)
    checkpoints = debugger.checkpoints
    assert checkpoints is not None
    say(f"{steps} steps of {cost * 1000:.0f} ms: {sizes(checkpoints)}")
    dice = random.Random(1)
    costs = []
    for _ in range(jumps):
        at = dice.randint(1, steps)
        costs.append(measured(debugger, f"goto {at}")[0] / one)
        say(f"  goto {at}: {costs[-1]:.1f}")
    if costs:
        say(f"goto a random step: {spread(costs)} bare steps (targets: median ≤ 8, p95 ≤ 25)")
        say(f"  then {sizes(checkpoints)}")
    near, returns, branches = [], [], []
    for _ in range(min(10, jumps)):
        at = dice.randint(3, steps - 1)
        execute(debugger, f"goto {at}:20000")
        near.append(measured(debugger, f"goto {at + dice.choice((-1, 1))}")[0] / one)
        returns.append(measured(debugger, f"goto {at}:20000")[1] * 1000)
        branches.append(measured(debugger, "set lm_head[0][0] = 0.5")[1] * 1000)
        execute(debugger, "undo")
    if near:
        say(f"goto a neighbour: {spread(near)} bare steps (target ≤ 3)")
        say(f"back to a visited step: {spread(returns)} ms (target ≤ 50)")
        say(f"a branch from there: {spread(branches)} ms, without a screen (target ≤ 300)")
    debugger.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
