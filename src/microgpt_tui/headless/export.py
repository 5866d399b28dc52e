"""``export [SCRIPT] --at MOMENT --what WHAT -o FILE``: a picture or a table of a moment, without a screen."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from microgpt_tui.graph.command import run
from microgpt_tui.graph.engines import EngineError
from microgpt_tui.graph.files import ExportError
from microgpt_tui.headless.launch import InputError, recorded
from microgpt_tui.protocol.moments import MomentError, parse
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.trace import Trace


def export(launch: Launch, options: argparse.Namespace) -> int:
    """Run the script up to the moment and write the file. 0, or 1 where Graphviz fails; raises InputError."""
    if not (options.output or options.frames):
        raise InputError("export: say where to: -o FILE, or --frames DIR")
    with _moment(launch, options.at) as (trace, event):
        try:
            print(run(trace, event, options, launch.script.name))
        except EngineError as error:
            print(f"microgpt-tui export: {error}", file=sys.stderr)
            return 1
        except (ExportError, ValueError) as error:
            raise InputError(f"export: {error}") from None
    return 0


@contextmanager
def _moment(launch: Launch, at: str) -> Iterator[tuple[Trace, int]]:
    """The moment asked for: a step alone is the end of its backward pass. Without one, that of the first step, or of
    a script that has no loop."""
    if at:
        with recorded(launch, _at_backward(at)) as (_, trace, event):
            yield trace, event
        return
    try:
        found = recorded(launch, "1:backward")
        _, trace, event = found.__enter__()
    except InputError:
        found = recorded(launch, "setup:backward")
        _, trace, event = found.__enter__()
    try:
        yield trace, event
    finally:
        found.__exit__(None, None, None)


def _at_backward(at: str) -> str:
    try:
        name = parse(at)
    except MomentError:
        return at  # told with the others
    return str(replace(name, at="backward")) if name.kind in ("step", "setup") and name.at == "" else at
