"""The graph pane as a list: the paths from a value to the loss that matter most, with the factors along them."""

from __future__ import annotations

from microgpt_tui.graph.numbers import signed
from microgpt_tui.graph.selection import Path, target_of, top_paths
from microgpt_tui.trace.names import name
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, empty, text
from microgpt_tui.tui.pane import View

PATHS = 8


def path_lines(view: View, width: int) -> list[Line]:
    """The paths from the selected value to the loss along which most of its gradient comes."""
    trace = view.trace
    loss = target_of(trace, view.event)
    lines: list[Line] = [
        [text(f" paths from {name(trace, view.node)} to {name(trace, loss)} · the largest products", palette.DIM)],
        [],
    ]
    found = top_paths(trace, view.node, loss, view.event, PATHS) if loss != view.node else []
    if not found:
        return [
            *lines,
            *empty("No path", "nothing that was computed from this value reaches the loss at this moment"),
        ]
    scale = abs(found[0].product) or 1.0
    for rank, path in enumerate(found, 1):
        lines += _path([name(trace, n) for n in path.nodes], rank, path, scale, width)
    total = sum(p.product for p in found)
    lines += [
        [],
        [text(f" together {signed(total)} of d {name(trace, loss)} / d {name(trace, view.node)}", palette.DIM)],
    ]
    return lines


def _path(names: list[str], rank: int, path: Path, scale: float, width: int) -> list[Line]:
    product = path.product
    factors = [signed(f) for f in path.locals if f != 1]
    shown = " × ".join(factors[:6]) + (f" × … ({len(factors)} factors)" if len(factors) > 6 else "")
    way = " → ".join(dict.fromkeys(names))
    if len(way) > width - 6:
        way = way[: (width - 9) // 2] + " … " + way[-(width - 9) // 2 :]
    return [
        [
            text(f" {rank:2d}  ", palette.DIM), text(signed(product), palette.signed_color(product, scale), bold=True),
            text(f" = {shown or '1'}", palette.TEXT),
        ],
        [text(f"     {way}", palette.DIM)],
    ]  # fmt: skip
