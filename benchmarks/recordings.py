"""Recordings: their size, what writing one costs beside a run that keeps the same steps, opening one, a moment in it.

python benchmarks/recordings.py [STEPS]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from microgpt_tui.headless.launch import BUNDLED, CORPUS
from microgpt_tui.headless.record import record
from microgpt_tui.headless.show import moment
from microgpt_tui.protocol import goals
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch


def launch() -> Launch:
    """The bundled GPT on its corpus."""
    return Launch(BUNDLED, data=CORPUS, private_folder=True, history_memory=0)


def cpu(do: Callable[[], object]) -> float:
    """CPU seconds of this process and of those that it has waited for."""
    before = sum(os.times()[:4])
    with redirect_stdout(StringIO()):
        do()
    return sum(os.times()[:4]) - before


def keeping(steps: int) -> None:
    """A run whose steps are recorded whole and kept in memory."""
    own = launch()
    own.goal = goals.Steps(steps)
    debugger = Debugger(own)
    debugger.wait()
    debugger.close()


def main() -> None:
    """Print the table."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as folder:
        ratios = []
        path = Path(folder) / "run.mgt"
        for _ in range(3):
            kept = cpu(lambda: keeping(steps))
            written = cpu(lambda: record(launch(), path, steps, [], overwrite=True, tell=False))
            ratios.append(written / kept)
        print(f"record / run that keeps {steps} steps, CPU   {sorted(ratios)[1]:.2f}   (at most 1.2)")
        print(f"bytes a step in the file                {path.stat().st_size / steps / 1e6:.2f} MB (at most 3)")
        start = time.perf_counter()
        debugger = Debugger(Launch(path, recording=path))
        spent = time.perf_counter() - start
        print(f"opening {path.stat().st_size / 1e6:.0f} MB   {spent:.3f} s  (at most 0.5)")
        for name in ("first moment of a step", "another of the same step"):
            start = time.perf_counter()
            index = debugger.history.recorded[steps // 2]
            trace = debugger.history.traces[index]
            moment(trace, len(trace) // 2 + (name[0] == "a"))
            print(f"{name:<40}{(time.perf_counter() - start) * 1e3:.0f} ms  (at most 50)")
        debugger.close()


if __name__ == "__main__":
    main()
