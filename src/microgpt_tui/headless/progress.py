"""What takes longer than a second says on stderr what it is at: in place on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType

from microgpt_tui.session.debugger import Debugger

SILENT = 1.0
"""Seconds that need no word."""
EVERY, EVERY_LINE = 0.3, 5.0
"""Seconds between two words on a terminal, and in a file."""


class Progress:
    """Within, ``text`` is asked for what is going on; ``say`` gives it a line instead."""

    def __init__(self, text: str = "") -> None:
        self.text: Callable[[], str] = lambda: text
        self._in_place = sys.stderr.isatty()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)
        self._shown = False

    def say(self, line: str) -> None:
        """What is going on from now on."""
        self.text = lambda: line

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if self._shown and self._in_place:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _tell(self) -> None:
        pause = SILENT if self._in_place else EVERY_LINE
        while not self._over.wait(pause):
            pause = EVERY if self._in_place else EVERY_LINE
            line = self.text()
            if line:
                start, end = ("\r\x1b[K", "") if self._in_place else ("", "\n")
                print(f"{start}{line}", end=end, file=sys.stderr, flush=True)
                self._shown = True


def running(debugger: Debugger) -> Callable[[], str]:
    """What a script is at: how many training steps are done, how long the rest of them takes at that pace."""
    start = time.monotonic()
    before = len(debugger.history.summaries)

    def text() -> str:
        history = debugger.history
        spent = time.monotonic() - start
        done = [s for s in history.summaries[before:] if s.kind == "step"]
        number = done[-1].number if done else 0
        total = history.program.total_steps
        newest = history.newest
        parts = [f"running {debugger.launch.script.name}"]
        if done:
            parts.append(f"training step {number:,}" + (f" of {total:,}" if total else ""))
            if total and number < total:
                parts.append(f"at most {spent / len(done) * (total - number):.0f} s to the end of training")
        if newest is not None and not newest.complete:
            parts.append(f"recording {newest.describe().split(' · ')[0]}: {len(newest):,} events")
        return " · ".join([*parts, f"{spent:.0f} s", "Ctrl+C cancels"])

    return text
