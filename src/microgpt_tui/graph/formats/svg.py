"""``svg``: for slides and browsers."""

from __future__ import annotations

from microgpt_tui.graph.drawing import Drawing, Format


def write(drawing: Drawing) -> bytes:
    """Its size in pixels."""
    return drawing.page.sized_svg(drawing.rendered("svg"), drawing.style.theme.background)


FORMAT = Format("svg", "for slides and browsers", write, is_frame=True)
