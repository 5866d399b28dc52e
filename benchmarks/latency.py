"""How long a person waits: opening, pausing, a whole step, a jump, ``--help``."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

from microgpt_tui.headless.show import moment
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch


def help_time(rounds: int = 9) -> float:
    """Seconds of ``microgpt-tui --help``, median."""
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "microgpt_tui", "--help"], stdout=subprocess.DEVNULL, check=True)
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def opening(script: Path, corpus: Path, rounds: int = 5) -> float:
    """Seconds from launch to the first operation of training, median."""
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        debugger = Debugger(Launch(script, data=corpus, private_folder=True))
        debugger.wait()
        took.append(time.perf_counter() - start)
        debugger.close()
    return statistics.median(took)


def pausing(script: Path, corpus: Path, rounds: int = 15) -> list[float]:
    """Seconds from the wish to pause to the script standing still with its step behind it, at random instants."""
    chance = random.Random(0)
    debugger = Debugger(Launch(script, data=corpus, private_folder=True))
    took = []
    try:
        debugger.wait()
        for _ in range(rounds):
            debugger.run()
            time.sleep(0.3 + chance.random() * 0.2)
            start = time.perf_counter()
            debugger.pause()
            debugger.wait()
            took.append(time.perf_counter() - start)
    finally:
        debugger.close()
    return sorted(took)


def step_and_jumps(script: Path, corpus: Path) -> tuple[float, float, int, list[float]]:
    """(seconds for a whole step recorded and here, its own CPU, its events, seconds per jump to a random event)."""
    chance = random.Random(0)
    debugger = Debugger(Launch(script, data=corpus, private_folder=True))
    try:
        debugger.wait()
        start = time.perf_counter()
        debugger.next_episode()
        debugger.wait()
        whole = time.perf_counter() - start
        trace = debugger.history.traces[1]
        moment(trace, len(trace) - 1)  # the indexes are made once
        jumps = []
        for _ in range(60):
            event = chance.randrange(len(trace))
            start = time.perf_counter()
            debugger.goto(event, 1)
            moment(trace, event)
            jumps.append(time.perf_counter() - start)
        return whole, debugger.history.steps[0].cpu, len(trace), sorted(jumps)
    finally:
        debugger.close()


def border(script: Path, corpus: Path) -> tuple[int, int, float]:
    """(bytes that a whole step's record takes between the processes, its events, CPU seconds of the first look)."""
    debugger = Debugger(Launch(script, data=corpus, private_folder=True))
    try:
        debugger.wait()
        taken = []
        read = debugger.process._read

        def counted(count: int) -> bytearray:
            taken.append(count)
            return read(count)

        debugger.process._read = counted
        debugger.next_episode()
        debugger.wait()
        trace = debugger.history.traces[1]
        begun = time.process_time()
        trace.grad_at(trace.end_node - 1, len(trace) - 1)
        trace.users(trace.end_node - 1)
        return sum(taken), len(trace), time.process_time() - begun
    finally:
        debugger.close()
