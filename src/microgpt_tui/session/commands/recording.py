"""Keeping a run in a file."""

from __future__ import annotations

from pathlib import Path

from microgpt_tui.session.commands.command import Command, CommandError, Result, Touches
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.recordings import Recorder


def _record(debugger: Debugger, argument: str) -> Result:
    path = Path(argument).expanduser()
    if path.exists():
        raise CommandError(f"{path} exists already: choose another name")
    if debugger.launch.recording is not None:
        raise CommandError(f"this is a recording already: copy {debugger.launch.recording}")
    recorder = Recorder(path)
    try:
        size = recorder.finish(debugger)
    except BaseException:
        recorder.drop()
        raise
    count = len(debugger.history.recorded)
    other = len(debugger.branches) - 1
    left = f"; of the {other} other branches only what `branches` says" if other else ""
    text = f"{path}: {count} recorded episodes, {size / 1e6:.1f} MB{left}. microgpt-tui open {path}"
    return Result(text, {"file": str(path), "episodes": count, "bytes": size})


COMMANDS = (
    Command(
        "record",
        "FILE",
        "Write what is recorded of this run into a file that `microgpt-tui open` reads",
        _record,
        touches=Touches.FILES,
    ),
)
