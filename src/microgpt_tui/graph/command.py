"""What ``export`` can be asked for, and the file that answers it; ``headless.export`` runs the script for it."""

from __future__ import annotations

import argparse
import json
from bisect import bisect_right
from dataclasses import replace
from pathlib import Path

from microgpt_tui.graph import engines
from microgpt_tui.graph.export import (
    WHATS,
    ExportError,
    Request,
    Written,
    export,
    export_scalars,
    format_of,
    write_whole,
)
from microgpt_tui.graph.frames import MOST_FRAMES, write_frames
from microgpt_tui.graph.picture import moment_name
from microgpt_tui.graph.presets import DIRECTIONS, EDGES, LABELS, SIZES, THEMES, Style, style_named
from microgpt_tui.graph.tables import Table, attention_table, distribution_table, draw_table, table_document
from microgpt_tui.trace.names import name, own_name
from microgpt_tui.trace.trace import Trace

TABLES = {
    "attention": "the attention weights of a layer, all heads",
    "tokens": "the distribution over the next token",
}
WHOLE = {"scalars": "every node and edge of the step, unfolded, for other tools (dot, json)"}

EPILOG = "what can be drawn:\n" + "\n".join(
    f"  {what:<11} {meaning}" for what, meaning in {**WHATS, **TABLES, **WHOLE}.items()
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command, those of the script included."""
    parser.epilog = EPILOG
    parser.add_argument("script", metavar="SCRIPT", nargs="?", help="a Python script (default: the bundled GPT)")
    parser.add_argument("--data", metavar="FILE", help="offer FILE to the script as ./input.txt, in a private folder")
    parser.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[],
        help="override a module-level setting, such as n_layer=2 (can be repeated)",
    )  # fmt: skip
    parser.add_argument("--python", metavar="FILE", help="the Python that runs the script (default: this one)")
    parser.add_argument(
        "--at", metavar="MOMENT", required=True,
        help="3:1200 is event 1200 (from 1) of training step 3; 3:end its last event; also setup:5, 'sample 2:17'",
    )  # fmt: skip
    parser.add_argument(
        "--what", choices=[*WHATS, *TABLES, *WHOLE], default="cone", help="what to draw (default: cone)"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="where to; the ending says the format")
    parser.add_argument(
        "--format", choices=["svg", "png", "pdf", "dot", "json"], help="the format, whatever the ending"
    )
    parser.add_argument("--frames", metavar="DIR", help="the backward pass of the selection as numbered pictures")
    parser.add_argument("--node", metavar="NODE", help="the value: its number or its name, such as 'q[3]'")
    parser.add_argument("--to", metavar="NODE", help="the other end of a slice")
    parser.add_argument("--depth", type=int, default=3, metavar="N", help="steps of a cone to each side (default: 3)")
    parser.add_argument(
        "--threshold", type=float, default=0.0, metavar="SHARE", help="hide edges with less of the grad"
    )
    parser.add_argument("--paths", type=int, default=3, metavar="N", help="how many paths to the loss (default: 3)")
    parser.add_argument("--layer", type=int, default=0, metavar="N", help="the layer of the attention heatmaps")
    parser.add_argument("--labels", choices=LABELS, help="numbers in the boxes (default: both)")
    parser.add_argument("--edges", choices=EDGES, default="count", help="numbers at the edges (default: count)")
    parser.add_argument("--theme", choices=list(THEMES), default="light", help="colours (default: light)")
    parser.add_argument("--size", choices=list(SIZES), default="16:9", help="the slide (default: 16:9)")
    parser.add_argument("--direction", choices=list(DIRECTIONS), help="left to right or top down (default: what fits)")
    parser.add_argument("--budget", type=int, default=60, metavar="N", help="fold to at most N boxes (default: 60)")
    parser.add_argument("--no-title", action="store_true", help="no title")
    parser.add_argument("--no-legend", action="store_true", help="no legend")
    parser.add_argument("--engine", choices=["dot", "wheel"], help="which Graphviz (default: dot, else the wheel)")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="for the layout (default: 60)")
    parser.add_argument("--force", action="store_true", help="draw all of it, however long it takes and small it gets")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")


def run(trace: Trace, event: int, options: argparse.Namespace, script: str = "") -> str:
    """Write what the options ask for; returns what to tell the person. Raises ExportError, EngineError, NoTable."""
    style = style_of(options)
    if options.frames:
        request = request_of(trace, event, options, style, script)
        written = write_frames(
            trace, event, request, Path(options.frames), options.format or "svg", overwrite=options.overwrite,
            timeout=options.timeout, most=MOST_FRAMES,
        )  # fmt: skip
        return f"Wrote {len(written) - 1} frames and {written[-1]}"
    path = Path(options.output)
    form = format_of(path, options.format or "")
    if options.what in WHOLE:
        if form not in ("dot", "json"):
            raise ExportError("every node of a step is too much for a picture: write it as .dot or .json")
        return str(export_scalars(trace, event, path, form, overwrite=options.overwrite))
    if options.what in TABLES:
        return str(write_table(table_of(trace, event, options.what, style, options.layer), style, path, form, options))
    request = request_of(trace, event, options, style, script)
    engine = engines.find(options.engine) if options.engine else None
    done = export(
        trace, event, request, path, form, overwrite=options.overwrite, engine=engine, timeout=options.timeout
    )
    return str(done)


def style_of(options: argparse.Namespace) -> Style:
    """The style that the options ask for."""
    labels = options.labels or ("names" if options.what == "model" else "both")
    style = style_named(options.theme, options.size, options.direction or "lr", labels, options.edges)
    return replace(style, title=not options.no_title, legend=not options.no_legend)


def request_of(trace: Trace, event: int, options: argparse.Namespace, style: Style, script: str) -> Request:
    """The request that the options ask for. Raises ExportError for a node that is none."""
    return Request(
        options.what, node_named(trace, options.node, event) if options.node else -1,
        node_named(trace, options.to, event) if options.to else -1, depth=options.depth, budget=options.budget,
        threshold=options.threshold, paths=options.paths, style=style, force=options.force, script=script,
        auto_direction=options.direction is None,
    )  # fmt: skip


def node_named(trace: Trace, text: str, event: int) -> int:
    """A node by its number or by its name: of several with that name the newest at the moment. Raises ExportError."""
    digits = text.removeprefix("#")
    if digits.isdecimal():
        node = int(digits)
        if not 0 <= node < trace.end_node or (trace.born_at(node) > event):
            raise ExportError(f"no node {node} at this moment: there are {trace.end_node:,} in all by the step's end")
        return node
    for matrix in trace.program.matrices:
        if text.startswith(matrix.name):
            for node in matrix.nodes:
                if name(trace, node) == text:
                    return node
    newest = trace.first_node + bisect_right(trace.born, event) - 1
    for node in range(newest, trace.first_node - 1, -1):
        if own_name(trace, node) == text:
            return node
    raise ExportError(
        f"no value is called {text!r} at this moment. Names are as on screen: q[3], layer0.attn_wq[2][5]."
    )


def table_of(trace: Trace, event: int, what: str, style: Style, layer: int = 0) -> Table:
    """The attention heatmaps or the token distribution of a moment. Raises NoTable."""
    table = (
        attention_table(trace, event, style, layer) if what == "attention" else distribution_table(trace, event, style)
    )
    return replace(table, subtitle=moment_name(trace, event))


def write_table(table: Table, style: Style, path: Path, form: str, options: argparse.Namespace) -> Written:
    """Write a table in any format. Raises ExportError, EngineError."""
    if form == "json":
        document = {
            "schema": "microgpt-tui/table/1",
            "title": table.title,
            "moment": table.subtitle,
            "rows": table.data,
        }
        data = (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
    else:
        if form == "dot":
            data = table_document(table, style).encode()
        else:
            engine = engines.find(options.engine or "")
            data = draw_table(table, style, engine, options.timeout).rendered(form, options.timeout)
    return Written(path, write_whole(path, [data], overwrite=options.overwrite))
