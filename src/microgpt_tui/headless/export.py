"""``export [SCRIPT] --at MOMENT --what WHAT -o FILE``: a picture or a table of a moment, without a screen."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from microgpt_tui.graph.command import run
from microgpt_tui.graph.engines import EngineError
from microgpt_tui.graph.files import ExportError
from microgpt_tui.headless.launch import InputError, recorded
from microgpt_tui.headless.progress import Progress
from microgpt_tui.protocol.moments import MomentError, MomentName, parse
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.session.reach import reach
from microgpt_tui.trace.trace import Trace


def export(launch: Launch, options: argparse.Namespace) -> int:
    """Run the script up to the moment and write the file. 0, or 1 where Graphviz fails; raises InputError."""
    if not (options.output or options.frames):
        raise InputError("export: say where to: -o FILE, or --frames DIR")
    try:
        with at_moment(launch, options.at) as (debugger, trace, event), Progress("drawing") as progress:
            later = _later(debugger, trace, options.through, progress)
            said = run(trace, event, options, launch.script.name, later, progress.say)
        print(said)
    except KeyboardInterrupt:
        print("microgpt-tui export: cancelled, nothing was written", file=sys.stderr)
        return 130
    except EngineError as error:
        print(f"microgpt-tui export: {error}", file=sys.stderr)
        return 1
    except (ExportError, ValueError) as error:
        raise InputError(f"export: {error}") from None
    return 0


def _later(debugger: Debugger, first: Trace, last: int, progress: Progress) -> Iterator[tuple[Trace, int]]:
    """The training steps after one, each at the end of its backward pass."""
    start = time.monotonic()
    for number in range(first.number + 1, last + 1):
        done = number - first.number - 1
        rest = f" · about {(time.monotonic() - start) / done * (last - number + 1):.0f} s" if done else ""
        progress.say(f"recording training step {number} of {last}{rest} · Ctrl+C cancels")
        try:
            for _ in reach(debugger, MomentName("step", number, "backward"), whole=True, run=True):
                debugger.wait()
        except MomentError as error:
            raise ExportError(f"--through {last}: {error}") from None
        trace = debugger.trace
        assert trace is not None  # `reach` has gone to a recorded moment
        yield trace, debugger.moment.event


@contextmanager
def at_moment(launch: Launch, at: str) -> Iterator[tuple[Debugger, Trace, int]]:
    """The moment asked for: a step alone is the end of its backward pass. Without one, that of the first step, or of
    a script that has no loop."""
    if at:
        with recorded(launch, _at_backward(at)) as found_at:
            yield found_at
        return
    try:
        found = recorded(launch, "1:backward")
        entered = found.__enter__()
    except InputError:
        found = recorded(launch, "setup:backward")
        entered = found.__enter__()
    try:
        yield entered
    finally:
        found.__exit__(None, None, None)


def _at_backward(at: str) -> str:
    try:
        name = parse(at)
    except MomentError:
        return at  # told with the others
    return str(replace(name, at="backward")) if name.kind in ("step", "setup") and name.at == "" else at
