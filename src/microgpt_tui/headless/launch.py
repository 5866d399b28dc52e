"""From the command line to a launch, and to a recorded moment; every fault with its remedy."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from microgpt_tui.headless.progress import Progress, running
from microgpt_tui.protocol.moments import MomentError, parse
from microgpt_tui.session.breakpoints import NAN_NUMBER
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.failure import explain
from microgpt_tui.session.notebook import NOTEBOOK, script_of
from microgpt_tui.session.process import Launch, overrides_from
from microgpt_tui.session.reach import reach
from microgpt_tui.session.recordings import is_recording, resumed
from microgpt_tui.trace.trace import Trace

PROGRAMS = Path(__file__).resolve().parent.parent / "programs"
BUNDLED = PROGRAMS / "microgpt.py"
CORPUS = PROGRAMS / "names.txt"


class InputError(Exception):
    """Nothing was run, or nothing could be looked at: the message says what to do. Exit status 2."""


def launch_from(options: argparse.Namespace, script_args: list[str], *, recordings: bool = False) -> Launch:
    """What to run, or with ``recordings`` a file to look at.

    Raises InputError for a missing file, a malformed ``--set``, and a recording where a script is needed.

    Without a script: the bundled GPT with the bundled corpus, in a private folder.
    """
    data = Path(options.data) if options.data else None
    if data is not None and not data.is_file():
        raise InputError(f"{data}: no such file. --data takes a text with one document per line.")
    try:
        overrides = overrides_from(options.set)
    except ValueError as error:
        raise InputError(str(error)) from None
    launch = Launch(BUNDLED, args=script_args, data=data or CORPUS, overrides=overrides, private_folder=True)
    if options.module is not None:
        if options.script is not None:
            raise InputError(f"-m {options.module} and {options.script}: give one of the two.")
        launch = Launch(Path(options.module), args=script_args, data=data, overrides=overrides, module=options.module)
    elif options.script == "-":
        launch = Launch(Path("-"), args=script_args, data=data, overrides=overrides, text=sys.stdin.read())
    elif options.script is not None:
        script = Path(options.script)
        if script.is_dir():
            raise InputError(f"{script}: a folder. Give the path of a Python script.")
        if not script.exists():
            raise InputError(
                f"{script}: no such file. Give the path of a Python script, or none for the GPT that ships with "
                "microgpt-tui; `microgpt-tui new FILE` writes a copy of it to modify."
            )
        if is_recording(script):
            if getattr(options, "run_on", None):
                return _run_on(script, options, script_args)
            return _recording(script, options, recordings)
        launch = Launch(script, args=script_args, data=data, overrides=overrides)
        if script.suffix == NOTEBOOK:
            try:
                script_of(script)
            except ValueError as error:
                raise InputError(f"{error}. Give the path of a Python script or of a notebook.") from None
    if getattr(options, "run_on", None):
        raise InputError(
            f"--script {options.run_on}: it goes with a recording: open FILE.mgt --script {options.run_on}."
        )
    if options.stdin:
        launch.stdin = Path(options.stdin)
        if not launch.stdin.is_file():
            raise InputError(f"--stdin {launch.stdin}: no such file.")
    elif not sys.stdin.isatty():
        launch.stdin = _given_input(launch)
    launch.history_memory = getattr(options, "history_memory", 0) << 20
    if options.python:
        python = shutil.which(options.python)
        if python is None:
            raise InputError(f"--python {options.python}: no such program.")
        launch.python = python
    return launch


def _recording(path: Path, options: argparse.Namespace, wanted: bool) -> Launch:
    """A launch that runs nothing. Raises InputError where the command needs a script."""
    if not wanted:
        raise InputError(f"{path}: a recording, and this runs the script itself: give the script.")
    given = [n for n in ("data", "stdin", "set", "python") if getattr(options, n, None)]
    if given:
        raise InputError(f"--{given[0]}: {path} is a recording: nothing runs. Give the script instead.")
    return Launch(path, recording=path, history_memory=getattr(options, "history_memory", 512) << 20)


def _run_on(path: Path, options: argparse.Namespace, script_args: list[str]) -> Launch:
    """The script of a recording as it was run, to be run on from where the recording stands."""
    kept = resumed(path)
    overrides = [*(f"{name}={value}" for name, value in kept.settings.items()), *options.set]
    changed = {**vars(options), "script": options.run_on, "run_on": None, "set": overrides}
    launch = launch_from(argparse.Namespace(**changed), script_args or kept.arguments)
    launch.resumed = kept
    return launch


def _given_input(launch: Launch) -> int | None:
    """Our own standard input, handed on; None where it is closed, or where the script is one of ours."""
    if launch.script == BUNDLED or launch.text is not None:
        return None
    try:
        return sys.stdin.fileno()
    except (OSError, ValueError, AttributeError):
        return None


def check(debugger: Debugger) -> None:
    """Raises InputError when the script was refused, or failed before it made a node."""
    message = explain(debugger.history, str(debugger.launch.script))
    if message is not None:
        raise InputError(message)


@contextmanager
def recorded(launch: Launch, at: str) -> Iterator[tuple[Debugger, Trace, int]]:
    """Run a script until the episode of a moment is recorded whole; gives (debugger, trace, event from 0).

    Raises InputError for a script that cannot be run, and for a moment that there is not.
    """
    with _moments(at):
        name = parse(at)
    debugger = Debugger(launch)
    try:
        with Progress() as progress:
            progress.text = running(debugger)
            debugger.wait()
            check(debugger)
            debugger.breakpoints.enable(NAN_NUMBER, False)
            with _moments(at):
                for _ in reach(debugger, name, whole=True, run=True):
                    debugger.wait()
        trace = debugger.trace
        assert trace is not None  # `reach` has gone to a recorded moment
        yield debugger, trace, debugger.moment.event
    finally:
        debugger.close()


@contextmanager
def _moments(at: str) -> Iterator[None]:
    try:
        yield
    except MomentError as error:
        raise InputError(f"--at {at}: {error}") from None
