"""A laid-out graph on a page: positions are pinned, scaled to the slide, and stay the same in every frame."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

MARGIN = 44
"""Pixels around everything."""
FURTHEST = 2.6
"""Boxes are not drawn further apart than so many times."""
LARGEST_SCALE = 3.0
"""A small graph is not blown up further: three boxes look like three boxes."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where Graphviz put everything, in points, y upwards."""

    width: float
    height: float
    nodes: dict[str, tuple[float, float]]
    """DOT name -> centre."""
    boxes: dict[str, tuple[float, float]]
    """DOT name -> width and height, in points."""
    edges: dict[str, tuple[str, str]]
    """Edge id -> (spline, label position)."""
    clusters: dict[str, dict[str, str]] = field(default_factory=dict)
    """Cluster name -> its bounding box and label position."""
    ends: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Edge id -> DOT names of its two ends."""


def read_layout(text: str) -> Layout:
    """The layout in Graphviz's JSON output (``-Tjson0``)."""
    found: dict[str, Any] = json.loads(text)
    left, low, right, high = (float(x) for x in found["bb"].split(","))
    nodes, boxes, clusters = {}, {}, {}
    for thing in found.get("objects", ()):
        name = thing["name"]
        if "pos" in thing:
            x, y = thing["pos"].rstrip("!").split(",")[:2]
            nodes[name] = float(x), float(y)
            boxes[name] = float(thing["width"]) * 72, float(thing["height"]) * 72
        elif "bb" in thing:
            clusters[name] = {k: thing[k] for k in ("bb", "lp", "lwidth", "lheight") if k in thing}
    edges = {e["id"]: (e.get("pos", ""), e.get("lp", "")) for e in found.get("edges", ()) if "id" in e}
    names = {thing["_gvid"]: thing["name"] for thing in found.get("objects", ())}
    ends = {e["id"]: (names[e["tail"]], names[e["head"]]) for e in found.get("edges", ()) if "id" in e}
    return Layout(right - left, high - low, nodes, boxes, edges, clusters, ends)


@dataclass(frozen=True, slots=True)
class Page:
    """A layout placed on a sheet. All lengths in points before scaling."""

    layout: Layout
    scale: float
    """Pixels per point."""
    width: float
    height: float
    head: float
    """Height of the title and legend."""
    left: float
    low: float
    """Where the drawing's lower left corner is."""


def stretched(layout: Layout, across: float, up: float) -> Layout:
    """A layout with its boxes further apart, as large as before; lines bend where they did and end at their boxes."""
    by = across - 1, up - 1

    def shifted(point: str, like: tuple[float, float] | None = None) -> str:
        x, y = (float(v) for v in point.split(",")[:2])
        a, b = like or (x, y)
        return f"{x + by[0] * a:.2f},{y + by[1] * b:.2f}"

    edges = {}
    ends = layout.ends
    for key, (spline, label) in layout.edges.items():
        tokens, (tail, head) = spline.split(), (layout.nodes.get(end) for end in ends.get(key, ("", "")))
        marked = sum(t[:2] in ("e,", "s,") for t in tokens)
        moved = []
        for i, token in enumerate(tokens):
            mark = token[:2] if token[:2] in ("e,", "s,") else ""
            at = i - marked
            near = head if mark == "e," or i >= len(tokens) - 2 else tail if mark == "s," or at < 2 else None
            moved.append(mark + shifted(token[len(mark) :], near))
        edges[key] = " ".join(moved), shifted(label) if label else ""
    clusters = {}
    for key, about in layout.clusters.items():
        left, low, right, high = (float(v) for v in about["bb"].split(","))
        box = f"{left * across:.2f},{low * up:.2f},{right * across:.2f},{high * up:.2f}"
        clusters[key] = about | {"bb": box}
        if "lp" in about:
            x, y = (float(v) for v in about["lp"].split(",")[:2])
            clusters[key]["lp"] = f"{left * across + (x - left):.2f},{high * up - (high - y):.2f}"
    nodes = {key: (x * across, y * up) for key, (x, y) in layout.nodes.items()}
    return Layout(layout.width * across, layout.height * up, nodes, layout.boxes, edges, clusters, ends)


def place(layout: Layout, width: int, height: int, head_pixels: float) -> Page:
    """A layout in the middle of a sheet of so many pixels (0 × 0: as large as needed, a pixel and a half a point)."""
    if not (width and height):
        scale = 1.5
        width = max(round(layout.width * scale) + 2 * MARGIN, 900)
        height = round(layout.height * scale + 2 * MARGIN + head_pixels)
    room_x, room_y = width - 2 * MARGIN, height - 1.7 * MARGIN - head_pixels
    scale = min(LARGEST_SCALE, room_x / max(1.0, layout.width), room_y / max(1.0, layout.height))
    if layout.ends:  # what is left free on one side goes between the boxes
        layout = stretched(
            layout, *(max(1.0, min(FURTHEST, room / scale / max(1.0, size))) for room, size in
                      ((room_x, layout.width), (room_y, layout.height)))
        )  # fmt: skip
    page_width, page_height = width / scale, height / scale
    left = (page_width - layout.width) / 2
    low = MARGIN / scale + (room_y / scale - layout.height) / 2
    return Page(layout, scale, page_width, page_height, head_pixels / scale, left, low)
