"""``repl``: the debugger's commands line by line, as plain text: for screen readers, editors and pipes.

At a terminal there is a prompt with the moment, completion and a history; an empty line repeats the last command, as in
pdb and gdb. From a pipe each line is a command, and no prompt is written.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from microgpt_tui.headless.launch import check
from microgpt_tui.headless.terminal import replay
from microgpt_tui.session.commands import CommandError, complete, execute
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch

Read = Callable[[str], str | None]
"""Takes a prompt; None at the end of the input."""
HISTORY = 1000
"""Lines that are remembered from one session to the next."""


def repl(launch: Launch, commands: list[str]) -> int:
    """Give ``commands``, then those that are typed, until ``quit`` or the end of the input.

    Returns 0; from a pipe 1 where a command failed or found something wrong. Raises InputError where the setup failed.
    """
    if launch.stdin is not None and not isinstance(launch.stdin, Path):
        launch.stdin = None  # ours is for the commands
    debugger = Debugger(launch)
    try:
        debugger.wait()
        check(debugger)
        return _Session(debugger).run(commands)
    finally:
        debugger.close()


class _Session:
    """What has been typed, and what was printed so far."""

    def __init__(self, debugger: Debugger) -> None:
        self.debugger = debugger
        self.typed = sys.stdin.isatty()
        self.last = ""
        self.status = 0
        self.printed = 0

    def run(self, commands: list[str]) -> int:
        """Until nothing more comes."""
        with _lines(self.debugger, self.typed) as read:
            if self.typed:
                print("microgpt-tui: help lists the commands, an empty line repeats the last one, quit ends")
            goes_on = all(self.obey(command) for command in commands)
            while goes_on:
                try:
                    line = read(f"({self.debugger.name_of(self.debugger.moment)}) ")
                except KeyboardInterrupt:
                    print()
                    continue
                if line is None:
                    break
                line = line.strip()
                if line.startswith("#"):
                    continue
                if line or (self.typed and self.last):
                    goes_on = self.obey(line or self.last)
        return 0 if self.typed else self.status

    def obey(self, line: str) -> bool:
        """Do one command and print its answer; False where the session is to end."""
        self.last = line
        debugger = self.debugger
        ends = False
        try:
            with _pausing(debugger):
                answer = execute(debugger, line)
            text, ends = answer.text, answer.ends
            self.status = self.status or answer.status
        except CommandError as error:
            text, self.status = f"*** {error}", 1
        self.show_output()
        if text and not ends:
            print(text, flush=True)
        if debugger.notice and debugger.notice not in text:
            print(debugger.notice, flush=True)
        return not ends

    def show_output(self) -> None:
        """What the script has printed since the last command."""
        raw = self.debugger.process.output(self.printed)
        if raw:
            self.printed += len(raw)
            replay(sys.stdout, raw)
            if not raw.endswith(b"\n"):
                print(flush=True)


@contextmanager
def _pausing(debugger: Debugger) -> Iterator[None]:
    """Within, Ctrl+C pauses the script."""

    def pause(number: int, frame: FrameType | None) -> None:
        debugger.pause()

    before = signal.signal(signal.SIGINT, pause)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _lines(debugger: Debugger, typed: bool) -> Iterator[Read]:
    """A function that reads a line: with a prompt, history and completion where somebody types."""
    if not typed:
        yield lambda prompt: sys.stdin.readline() or None
        return
    try:
        import readline
    except ImportError:  # a Python without it: lines as they come
        yield _ask
        return
    file = _history_file()
    with suppress(OSError):
        readline.read_history_file(file)
    readline.set_history_length(HISTORY)
    readline.set_completer_delims("")
    readline.set_completer(lambda text, n: next(iter(complete(debugger, text)[n:]), None))
    readline.parse_and_bind("tab: complete")
    try:
        yield _ask
    finally:
        readline.set_completer(None)
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(file)


def _ask(prompt: str) -> str | None:
    try:
        return input(prompt)
    except EOFError:
        print()
        return None


def _history_file() -> Path:
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "microgpt-tui" / "repl-history"
