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
    runs = len(debugger.branches)
    also = f" of {runs} branches" if runs > 1 else ""
    text = f"{path}: {recorder.count} recorded episodes{also}, {size / 1e6:.1f} MB. microgpt-tui open {path}"
    return Result(text, {"file": str(path), "episodes": recorder.count, "branches": runs, "bytes": size})


COMMANDS = (
    Command(
        "record",
        "FILE",
        "Write what is recorded of this run into a file that `microgpt-tui open` reads",
        _record,
        touches=Touches.FILES,
    ),
)
