"""``export [SCRIPT] --at MOMENT --what WHAT -o FILE``: a picture or a table of a moment, without a screen."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from microgpt_tui.graph.command import add_arguments, run
from microgpt_tui.graph.files import ExportError
from microgpt_tui.headless.launching import Trouble, check, launch_from
from microgpt_tui.headless.show import parse_moment
from microgpt_tui.protocol import goals
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.trace import Trace


def main(options: argparse.Namespace) -> int:
    """Run the script up to the moment and write the file. Returns the exit status: 0; 1 when nothing was written."""
    if not (options.output or options.frames):
        raise Trouble("export: say where to: -o FILE, or --frames DIR")
    launch = launch_from(options, getattr(options, "script_args", []))
    with recorded(launch, options.at) as (trace, event):
        try:
            print(run(trace, event, options, launch.script.name))
        except (ExportError, ValueError) as error:
            print(f"microgpt-tui export: {error}", file=sys.stderr)
            return 1
    return 0


@contextmanager
def recorded(launch: Launch, at: str) -> Iterator[tuple[Trace, int]]:
    """Run a script until the episode of a moment is recorded whole; gives (trace, event from 0).

    ``at`` is as in ``show --at``, and ``3:end`` for the last event of a step. Raises Trouble.
    """
    at_end = at.rstrip().endswith(":end")
    kind, number, wanted = parse_moment(at.replace(":end", ":1"))
    if kind != "setup":
        launch.goal = goals.Episode(kind, number, forget=True)
    debugger = Debugger(launch)
    try:
        debugger.wait()
        check(debugger)
        index = debugger.episode_index(kind, number)
        if index is not None and index and not debugger.over:
            debugger.moment = Moment(index, 0)
            debugger.next_episode()
            debugger.wait()
        trace = debugger.history.traces.get(-1 if index is None else index)
        if trace is None or not len(trace):
            raise Trouble(f"--at {at}: the script has no such episode, or nothing happens in it.")
        if wanted > len(trace):
            raise Trouble(f"--at {at}: this episode has {len(trace):,} events.")
        yield trace, len(trace) - 1 if at_end else wanted - 1
    finally:
        debugger.close()


__all__ = ["add_arguments", "main", "recorded"]
