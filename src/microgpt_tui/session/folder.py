"""The folder of one run of a script: its output, and with a corpus a place of its own to run in.

However the debugger ends, by a signal that it cannot catch too, the script ends with it and the folder is removed. Both
hang on a pipe whose one write end the debugger holds, so that the system closes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from microgpt_tui.session.notebook import NOTEBOOK, script_of

MOST_LINKS = 4096
"""Files of a folder that are found in a private one."""
KILLED_BY_KERNEL = sys.platform == "linux"
"""A closed pipe can send SIGKILL by itself."""
_WATCH = (
    "trap '' HUP INT TERM; "
    'while read -r group; do last=$group; done; [ -z "$last" ] || kill -s KILL -- "-$last"; rm -rf -- "$1"'
)
"""Waits for the pipe's end, whatever signal comes. Each line of it names the process group to kill then."""


class RunFolder:
    """A folder in the system's place for temporary files, and the process that runs in it."""

    def __init__(
        self, script: Path, data: Path | None, private: bool, stdin: Path | int | None = None, text: str | None = None
    ) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="microgpt-tui-"))
        self.lifeline, self._write_end = os.pipe()
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "sh", str(self.path)], stdin=self.lifeline, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, cwd="/", start_new_session=True,
        )  # fmt: skip
        self.stdout, self.stderr = self.path / "stdout", self.path / "stderr"
        self.stdin = stdin
        self.environment: dict[str, str] | None = None
        self.cwd: Path | None = None
        """Where the script runs; None for where we are."""
        self.script = str(script)
        """The script's path as seen from there."""
        if data is not None or private:
            self.cwd = self.path / "cwd"
            self.cwd.mkdir()
            self.script = str(script.resolve())
            if data is not None:
                shutil.copyfile(data, self.cwd / "input.txt")
                if not private:
                    self._link((Path.cwd(), script.resolve().parent))
        if script.suffix == NOTEBOOK or text is not None:
            self.script = str(self.path / f"{script.stem if text is None else 'stdin'}.py")
            Path(self.script).write_text(script_of(script) if text is None else text, "utf-8")
            places = [str(script.resolve().parent), *filter(None, [os.environ.get("PYTHONPATH")])]
            self.environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}

    def _link(self, folders: Sequence[Path]) -> None:
        """Whatever else lies in these folders is found in the private one too; of two of a name the first."""
        assert self.cwd is not None
        for folder in folders:
            for found in islice(folder.iterdir(), MOST_LINKS):
                with contextlib.suppress(OSError):
                    (self.cwd / found.name).symlink_to(found.absolute())

    def start(
        self, command: Sequence[str], inherited: Sequence[int] = (), *, first: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process here, in a session of its own, its output in files: a flood neither blocks nor is lost.

        One that inherits ``lifeline`` ends with the debugger even where the watcher was killed before. A folder that
        comes ``first`` in PYTHONPATH is there before anything else is imported.
        """
        environment = dict(self.environment or os.environ)
        if first is not None:
            before = environment.get("PYTHONPATH", "")
            environment["PYTHONPATH"] = f"{first}{os.pathsep}{before}" if before else str(first)
        with contextlib.ExitStack() as files:
            out, err = (files.enter_context(path.open("ab")) for path in (self.stdout, self.stderr))
            given = subprocess.DEVNULL if self.stdin is None else self.stdin
            stdin = given if isinstance(given, int) else files.enter_context(given.open("rb"))
            started = subprocess.Popen(
                command, stdin=stdin, stdout=out, stderr=err, cwd=self.cwd, start_new_session=True,
                pass_fds=inherited, env=environment,
            )  # fmt: skip
        if KILLED_BY_KERNEL:  # at once, whatever the script does: in a loop, inside C, waiting for us
            fcntl.fcntl(self.lifeline, fcntl.F_SETOWN, -started.pid)
            fcntl.fcntl(self.lifeline, fcntl.F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(self.lifeline, fcntl.F_SETFL, fcntl.fcntl(self.lifeline, fcntl.F_GETFL) | os.O_ASYNC)
        else:
            os.write(self._write_end, f"{started.pid}\n".encode())
        return started

    def close(self) -> None:
        """Remove it. Kills what still runs in it."""
        if self._write_end >= 0:
            os.close(self._write_end)
            os.close(self.lifeline)
            self._write_end = -1
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._watcher.wait(5)
            shutil.rmtree(self.path, ignore_errors=True)  # where somebody has ended the watcher

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
