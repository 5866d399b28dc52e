"""The screen as its user meets it: a real terminal (pty), keys written to it, the time until it has drawn.

python benchmarks/screen.py [COLUMNSxROWS]      prints a table; `run.py` writes it to RESULTS.md
"""

from __future__ import annotations

import fcntl
import itertools
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

QUIET = 0.05
"""A screen that has drawn nothing for so long is done drawing, in seconds."""


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, command: list[str], columns: int, rows: int) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = dict(os.environ, TERM="xterm-256color", COLORTERM="truecolor", LINES="", COLUMNS="")
        environment.pop("LINES")
        environment.pop("COLUMNS")
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)

    def read(self, timeout: float) -> bytes:
        """What is drawn within the time, as soon as there is something; empty if nothing."""
        ready, _, _ = select.select([self.master], [], [], timeout)
        return os.read(self.master, 1 << 20) if ready else b""

    def settle(self, patience: float = 20.0) -> float:
        """Wait until drawing stops; the moment of its last byte."""
        last = time.perf_counter()
        until = last + patience
        while time.perf_counter() < until:
            if self.read(QUIET):
                last = time.perf_counter()
            else:
                break
        return last

    def press(self, keys: bytes) -> float:
        """Seconds from a key to the last byte that it made the program draw."""
        begun = time.perf_counter()
        os.write(self.master, keys)
        if not self.read(2.0):
            return 2.0
        first = time.perf_counter()
        return max(first, self.settle()) - begun

    def until(self, *patterns: bytes, patience: float = 30.0) -> list[float]:
        """Seconds until the program has drawn each of these, in whatever order."""
        begun, seen = time.perf_counter(), b""
        taken: dict[bytes, float] = {}
        while len(taken) < len(patterns) and time.perf_counter() - begun < patience:
            seen = seen[-400:] + self.read(0.5)
            for pattern in patterns:
                if pattern not in taken and re.search(pattern, seen):
                    taken[pattern] = time.perf_counter() - begun
        return [taken.get(pattern, patience) for pattern in patterns]

    def close(self) -> None:
        """End the program."""
        self.process.terminate()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
        os.close(self.master)


def times(action: Callable[[], float], count: int) -> tuple[float, float]:
    """Median and 95th percentile of an action, in milliseconds."""
    taken = sorted(action() for _ in range(count))
    return statistics.median(taken) * 1e3, taken[min(len(taken) - 1, int(len(taken) * 0.95))] * 1e3


def measure(columns: int = 120, rows: int = 40) -> list[str]:
    """The table of results, as Markdown lines."""
    lines = ["| what | median | p95 | target |", "|---|---|---|---|"]

    def row(what: str, median: float, p95: float, target: str) -> None:
        lines.append(f"| {what} | {median:.0f} ms | {p95:.0f} ms | {target} |")

    program = [sys.executable, "-m", "microgpt_tui"]
    opening = []
    for _ in range(3):
        terminal = Terminal(program, columns, rows)
        terminal.until(b"FORWARD")
        opening.append(time.perf_counter() - terminal.begun)
        terminal.close()
    row("opening to the first operation", statistics.median(opening) * 1e3, max(opening) * 1e3, "≤ 1500 ms")

    terminal = Terminal(program, columns, rows)
    terminal.until(b"FORWARD")
    terminal.settle()
    row("`s` at the frontier: the script executes one operation", *times(lambda: terminal.press(b"s"), 60), "")
    os.write(terminal.master, b">")  # the whole first step is recorded
    terminal.settle(5)
    time.sleep(2)
    terminal.settle()
    os.write(terminal.master, b"S")  # its last event
    terminal.settle()
    row("`S`, `s` inside a recorded step", *times(lambda: terminal.press(b"S"), 60), "p95 ≤ 33 ms")
    jumps = itertools.cycle((b"[", b"[", b"]", b"]"))
    row("`[`, `]`: a jump from phase to phase of it", *times(lambda: terminal.press(next(jumps)), 40), "≤ 50 ms")
    places = iter([1 + (i * 7919) % 150_000 for i in range(40)])
    row(
        "`:goto`: a jump to any event of it, and the command line closes",
        *times(lambda: _command(terminal, f"goto 1:{next(places)}"), 40),
        "≤ 50 ms",
    )
    for key, name in zip(b"567894", ("Graph", "Attention", "Tokens", "Weights", "Training", "Value"), strict=True):
        other = b"4" if key != ord("4") else b"0"

        def switch(key: int = key, other: bytes = other) -> float:
            taken = terminal.press(bytes((key,)))
            terminal.press(other)
            return taken

        terminal.press(bytes((key,)))  # what it recognises is kept from now on
        terminal.press(other)
        row(f"switching to {name}", *times(switch, 8), "≤ 50 ms")
    terminal.press(b"4")
    os.write(terminal.master, b">")
    terminal.settle(5)
    os.write(terminal.master, b" ")
    time.sleep(2)

    whole = []

    def pause() -> float:
        os.write(terminal.master, b" ")
        at_line, with_record = terminal.until(rb"paused", "[\\d,]+ / [\\d,]+…".encode())
        whole.append(with_record)
        terminal.settle()
        os.write(terminal.master, b" ")
        terminal.until(rb"RUNNING")
        time.sleep(0.7 + 0.013 * len(whole))
        return at_line

    def answer() -> float:
        os.write(terminal.master, b":")
        time.sleep(0.2)
        os.write(terminal.master, "\u0436".encode())
        (taken,) = terminal.until("\u0436".encode(), patience=2)
        os.write(terminal.master, b"\x1b")
        time.sleep(0.3)
        terminal.read(0.01)
        return taken

    row("a key while the script runs flat out, drawn", *times(answer, 8), "≤ 100 ms")
    row("from space to the line where it is paused, drawn", *times(pause, 16), "≤ 200 ms")
    recorded = iter(whole)
    row("from space to the whole record of the running step, drawn", *times(lambda: next(recorded), 16), "p95 ≤ 150 ms")
    terminal.close()
    return lines


def _command(terminal: Terminal, text: str) -> float:
    terminal.press(b":")
    terminal.press(text.encode())
    return terminal.press(b"\r")


if __name__ == "__main__":
    size = sys.argv[1] if len(sys.argv) > 1 else "120x40"
    print(f"{Path(__file__).name} at {size}")
    print("\n".join(measure(*(int(n) for n in size.split("x")))))
