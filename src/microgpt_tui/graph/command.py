"""What ``export`` can be asked for, and the file that answers it; ``headless.export`` runs the script for it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from microgpt_tui.graph.addresses import node_at_address
from microgpt_tui.graph.engines import Renderer
from microgpt_tui.graph.export import export
from microgpt_tui.graph.files import ExportError
from microgpt_tui.graph.formats import FORMATS
from microgpt_tui.graph.frames import write_frames
from microgpt_tui.graph.presets import DIRECTIONS, EDGES, LABELS, SIZES, THEMES, Style, style_named
from microgpt_tui.graph.request import Request
from microgpt_tui.graph.whats import WHATS
from microgpt_tui.graph.whats.whole import PLAIN, nodes_below
from microgpt_tui.protocol.moments import SHORT
from microgpt_tui.trace.references import NotHere
from microgpt_tui.trace.trace import Trace

SCREEN = "screen"
"""Not of the graph: what the debugger's screen shows of the moment; ``tui.screenshot`` writes it."""
EPILOG = "what can be drawn:\n" + "\n".join(f"  {what.name:<11} {what.meaning}" for what in WHATS.values())
EPILOG += f"\n  {SCREEN:<11} the debugger's screen at that moment, after --keys (svg)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that say what to draw and where to."""
    parser.epilog = EPILOG
    parser.add_argument(
        "--at", metavar="MOMENT", default="",
        help=f"{SHORT}; a step alone means the end of its backward pass (default: that of step 1)",
    )  # fmt: skip
    parser.add_argument(
        "--what", choices=[*WHATS, SCREEN],
        help=f"what to draw (default: the graph where it has at most {PLAIN} nodes, else the model; of a sample the "
        "cone of its last value)",
    )  # fmt: skip
    parser.add_argument("-o", "--output", metavar="FILE", help="where to; the ending says the format")
    parser.add_argument(
        "--through", type=int, default=0, metavar="N", help="html: a slider through the training steps up to N too"
    )
    parser.add_argument("--format", choices=list(FORMATS), help="the format, whatever the ending")
    parser.add_argument("--frames", metavar="DIR", help="the backward pass of the selection as numbered pictures")
    parser.add_argument(
        "--node", metavar="NODE", help="the value: its number or its name, such as 'q[3]' (default: the loss)"
    )
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
    parser.add_argument("--screen", metavar="COLSxROWS", default="120x40", help="of --what screen (default: 120x40)")
    parser.add_argument(
        "--keys", metavar="KEYS", default="", help="pressed before, such as '4' or '5 v' (--what screen)"
    )
    parser.add_argument("--engine", choices=["dot", "wheel"], help="which Graphviz (default: dot, else the wheel)")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="for the layout (default: 60)")
    parser.add_argument("--force", action="store_true", help="draw all of it, however long it takes and small it gets")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")


def run(
    trace: Trace, event: int, options: argparse.Namespace, script: str = "", later: Iterable[tuple[Trace, int]] = (),
    progress: Callable[[str], None] = lambda line: None,
) -> str:  # fmt: skip
    """Write what the options ask for; returns what to tell the person. Raises ExportError."""
    if options.what is None:
        small = len(nodes_below(trace, event, PLAIN)) <= PLAIN
        no_loss = "cone" if trace.episode_kind == "sample" or not small else "graph"
        with_loss = "graph" if small else "model"
        options.what = "cone" if options.node else with_loss if trace.loss_node() >= 0 else no_loss
    request = request_of(trace, event, options, script)
    renderer = Renderer(options.engine or "", options.timeout, progress=progress)
    form = options.format or ""
    if options.frames:
        written = write_frames(
            trace, event, request, Path(options.frames), form or "svg", overwrite=options.overwrite, renderer=renderer
        )
        return f"Wrote {len(written) - 1} frames and {written[-1]}"
    path = Path(options.output)
    return str(export(trace, event, request, path, form, overwrite=options.overwrite, renderer=renderer, later=later))


def style_of(options: argparse.Namespace) -> Style:
    """The style that the options ask for."""
    labels = options.labels or WHATS[options.what].labels
    style = style_named(options.theme, options.size, options.direction or "lr", labels, options.edges)
    return replace(style, title=not options.no_title, legend=not options.no_legend)


def request_of(trace: Trace, event: int, options: argparse.Namespace, script: str) -> Request:
    """The request that the options ask for. Raises ExportError for a node that is none."""
    return Request(
        options.what, _node(trace, options.node, event), _node(trace, options.to, event), depth=options.depth,
        budget=options.budget, threshold=options.threshold, paths=options.paths, layer=options.layer,
        style=style_of(options), force=options.force, script=script, auto_direction=options.direction is None,
    )  # fmt: skip


def _node(trace: Trace, text: str, event: int) -> int:
    try:
        return node_at_address(trace, text, event) if text else -1
    except NotHere as error:
        raise ExportError(f"{error}. Names are as on screen: q[3], layer0.attn_wq[2][5].") from None
