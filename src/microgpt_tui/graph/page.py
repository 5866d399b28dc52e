"""A laid-out graph on a page: positions are pinned, scaled to the slide, and stay the same in every frame."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

MARGIN = 44
"""Pixels around everything."""
LARGEST_SCALE = 2.2
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
    return Layout(right - left, high - low, nodes, boxes, edges, clusters)


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

    @property
    def inner_width(self) -> float:
        """Between the margins."""
        return self.width - 2 * MARGIN / self.scale

    def graph_settings(self) -> str:
        """Attributes of the graph: the size in inches at 144 pixels each."""
        return f' size="{self.width * self.scale / 144:.4f},{self.height * self.scale / 144:.4f}!" notranslate=true'

    def sized_svg(self, data: bytes, background: str) -> bytes:
        """An SVG of this page that asks for its size in pixels instead of points, with its ground up to the edge."""
        text = data.decode()
        start = text.index("<svg ")
        end = text.index("viewBox", start)
        content = text.index(">", end) + 1
        size = f'<svg width="{self.width * self.scale:.0f}" height="{self.height * self.scale:.0f}"\n '
        ground = f'\n<rect width="100%" height="100%" fill="{background}"/>'
        return (text[:start] + size + text[end:content] + ground + text[content:]).encode()

    def node(self, key: int) -> str:
        """Where a node is pinned."""
        x, y = self.layout.nodes[f"n{key}"]
        return f' pos="{x + self.left:.2f},{y + self.low:.2f}"'

    def edge(self, number: int, labelled: bool) -> str:
        """An edge's spline and the place of its label."""
        spline, label = self.layout.edges[f"e{number}"]
        text = f'pos="{self._moved(spline)}"'
        return f'{text} lp="{self._moved(label)}"' if labelled and label else text

    def cluster(self, scope: int) -> str:
        """A frame's rectangle and the place of its label."""
        known = self.layout.clusters.get(f"cluster_{scope}", {})
        return "".join(
            f' {name}="{self._rectangle(value) if name == "bb" else self._moved(value) if name == "lp" else value}"'
            for name, value in known.items()
        )

    def frame(self, heading: str) -> list[str]:
        """The head, and two invisible corners that make the sheet its size."""
        corners = [
            f'  corner{i} [shape=point style=invis width=0.001 height=0.001 label="" pos="{x:.2f},{y:.2f}"]'
            for i, (x, y) in enumerate(((0.0, 0.0), (self.width, self.height)))
        ]
        if not heading:
            return corners
        y = self.height - MARGIN * 0.7 / self.scale - self.head / 2
        return [*corners, f'  head [tooltip="" pos="{self.width / 2:.2f},{y:.2f}" label=<{heading}>]']

    def _moved(self, points: str) -> str:
        parts = []
        for token in points.split():
            mark = token[:2] if token[:2] in ("e,", "s,") else ""
            x, y = token[len(mark) :].split(",")[:2]
            parts.append(f"{mark}{float(x) + self.left:.2f},{float(y) + self.low:.2f}")
        return " ".join(parts)

    def _rectangle(self, box: str) -> str:
        x0, y0, x1, y1 = (float(x) for x in box.split(","))
        return f"{x0 + self.left:.2f},{y0 + self.low:.2f},{x1 + self.left:.2f},{y1 + self.low:.2f}"


def place(layout: Layout, width: int, height: int, head_pixels: float) -> Page:
    """A layout in the middle of a sheet of so many pixels (0 × 0: as large as needed, a pixel and a half a point)."""
    if not (width and height):
        scale = 1.5
        width = max(round(layout.width * scale) + 2 * MARGIN, 900)
        height = round(layout.height * scale + 2 * MARGIN + head_pixels)
    room_x, room_y = width - 2 * MARGIN, height - 1.7 * MARGIN - head_pixels
    scale = min(LARGEST_SCALE, room_x / max(1.0, layout.width), room_y / max(1.0, layout.height))
    page_width, page_height = width / scale, height / scale
    left = (page_width - layout.width) / 2
    low = MARGIN / scale + (room_y / scale - layout.height) / 2
    return Page(layout, scale, page_width, page_height, head_pixels / scale, left, low)
