"""Where boxes and edges go: Graphviz's answer, or our own where there is no Graphviz."""

from __future__ import annotations

from itertools import pairwise

from microgpt_tui.graph.draw.font import text_width
from microgpt_tui.graph.draw.ranks import ranked
from microgpt_tui.graph.engines import LayoutFailed, Renderer
from microgpt_tui.graph.labels import EDGE_TEXT, reserved_label
from microgpt_tui.graph.measure import SMALL_TEXT, sizes_of
from microgpt_tui.graph.page import Layout, read_layout
from microgpt_tui.graph.picture import Picture
from microgpt_tui.graph.presets import Style

MOST = 150
"""Boxes that our own layout is good for."""


def by_engine(picture: Picture, style: Style, renderer: Renderer) -> Layout:
    """Raises EngineError."""
    try:
        return read_layout(renderer.render(source(picture, style), "json0").decode())
    except LayoutFailed:
        if not picture.clusters:
            raise
        # Graphviz 2.43 gives up on some graphs with frames ("trouble in init_rank")
        return read_layout(renderer.render(source(picture, style, frames=False), "json0").decode())


def source(picture: Picture, style: Style, *, frames: bool = True) -> str:
    """A DOT document of empty boxes as large as ours will be."""
    sizes = sizes_of(picture, style)
    labelled = any(reserved_label(a, style, picture) for a in picture.arrows)
    separation = 0.3 if labelled else 0.36 if style.direction == "LR" else 0.25
    if style.compact:
        separation *= 0.55
    lines = [
        f'digraph {{ graph [rankdir={style.direction} pad=0 nodesep="0.16" ranksep="{separation}"]',
        '  node [shape=box fixedsize=true label=""]',
    ]

    def part(scope: int) -> list[str]:
        own = []
        for box in picture.boxes:
            if box.cluster == scope or (not frames and scope == -1):
                width, height = sizes[box.key]
                own.append(f'  n{box.key} [width="{width / 72:.4f}" height="{height / 72:.4f}"]')
        for inner, (label, around) in picture.clusters.items() if frames else ():
            if around == scope:
                own.append(
                    f"  subgraph cluster_{inner} {{ graph [labelloc=t labeljust=l margin=9 label={_room(label)}]"
                )
                own += [*part(inner), "  }"]
        return own

    lines += part(-1)
    for i, arrow in enumerate(picture.arrows):
        label = reserved_label(arrow, style, picture)
        room = f" label={_room(label, EDGE_TEXT, 12)}" if label else ""
        lines.append(f"  n{arrow.tail} -> n{arrow.head} [id=e{i} arrowsize=0.7{room}]")
    return "\n".join([*lines, "}"]) + "\n"


def _room(text: str, size: float = SMALL_TEXT, around: float = 4) -> str:
    """An empty label as large as a text."""
    width, height = round(text_width(text, size) + around), round(size * 1.4)
    return (
        f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" FIXEDSIZE="TRUE" WIDTH="{width}" '
        f'HEIGHT="{height}"><TR><TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"></TD></TR></TABLE>>'
    )


def by_ourselves(picture: Picture, style: Style) -> Layout:
    """Ranks and straight lines; no frames."""
    order = {box.key: i for i, box in enumerate(picture.boxes)}
    keys = [box.key for box in picture.boxes]
    sizes = sizes_of(picture, style)
    edges = [(order[a.tail], order[a.head]) for a in picture.arrows]
    turned = [(min(e), max(e)) for e in edges if e[0] != e[1]]
    down = style.direction == "TB"
    gap = (16.0 if style.compact else 40.0) + max((text_width(t, EDGE_TEXT) for a in picture.arrows
                      if (t := reserved_label(a, style, picture))), default=0.0) * (not down)  # fmt: skip
    found = ranked({i: sizes[k] for i, k in enumerate(keys)}, turned, down, gap=gap, side_gap=18.0)
    height = found.height
    at = {f"n{keys[i]}": (x, height - y) for i, (x, y) in found.at.items()}
    lines: dict[str, tuple[str, str]] = {}
    for number, (a, b) in enumerate(edges):
        x0, y0, x1, y1 = *found.at[a], *found.at[b]
        wide, tall = sizes[keys[a]], sizes[keys[b]]
        bends = found.bends.get((a, b), [])
        if down:
            y0, y1 = y0 + wide[1] / 2, y1 - tall[1] / 2
        else:
            x0, x1 = x0 + wide[0] / 2, x1 - tall[0] / 2
        points = [(x0, y0), *bends, (x1, y1)]
        lines[f"e{number}"] = _spline(points, height, down), _middle(points, height)
    ends = {f"e{i}": (f"n{keys[a]}", f"n{keys[b]}") for i, (a, b) in enumerate(edges)}
    return Layout(found.width, height, at, {f"n{k}": sizes[k] for k in keys}, lines, ends=ends)


def _spline(points: list[tuple[float, float]], height: float, down: bool) -> str:
    """Curves through points, each leaving along the way the picture runs."""
    numbers = [points[0]]
    for (x0, y0), (x1, y1) in pairwise(points):
        half = (y1 - y0) / 2 if down else (x1 - x0) / 2
        numbers += [(x0, y0 + half), (x1, y1 - half)] if down else [(x0 + half, y0), (x1 - half, y1)]
        numbers.append((x1, y1))
    end = points[-1]
    return f"e,{end[0]:.2f},{height - end[1]:.2f} " + " ".join(f"{x:.2f},{height - y:.2f}" for x, y in numbers)


def _middle(points: list[tuple[float, float]], height: float) -> str:
    (x0, y0), (x1, y1) = points[0], points[1]
    return f"{(x0 + x1) / 2:.2f},{height - (y0 + y1) / 2:.2f}"
