"""``export [SCRIPT] --at MOMENT --what WHAT -o FILE``: a picture or a table of a moment, without a screen."""

from __future__ import annotations

import argparse
import sys

from microgpt_tui.graph.command import run
from microgpt_tui.graph.engines import EngineError
from microgpt_tui.graph.files import ExportError
from microgpt_tui.headless.launch import InputError, recorded
from microgpt_tui.session.process import Launch


def export(launch: Launch, options: argparse.Namespace) -> int:
    """Run the script up to the moment and write the file. 0, or 1 where Graphviz fails; raises InputError."""
    if not (options.output or options.frames):
        raise InputError("export: say where to: -o FILE, or --frames DIR")
    with recorded(launch, options.at) as (_, trace, event):
        try:
            print(run(trace, event, options, launch.script.name))
        except EngineError as error:
            print(f"microgpt-tui export: {error}", file=sys.stderr)
            return 1
        except (ExportError, ValueError) as error:
            raise InputError(f"export: {error}") from None
    return 0
