"""``png``: pixels, as many as the slide has."""

from __future__ import annotations

from microgpt_tui.graph.drawing import Drawing, Format

DOTS_PER_INCH = 144


def write(drawing: Drawing) -> bytes:
    """As large as the slide."""
    return drawing.rendered("png", dpi=DOTS_PER_INCH)


FORMAT = Format("png", "pixels, as many as the slide has", write, is_frame=True)
