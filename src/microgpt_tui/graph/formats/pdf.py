"""``pdf``: for print."""

from __future__ import annotations

from microgpt_tui.graph.drawing import Drawing, Format


def write(drawing: Drawing) -> bytes:
    """One page."""
    return drawing.rendered("pdf")


FORMAT = Format("pdf", "for print", write)
