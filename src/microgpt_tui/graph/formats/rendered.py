"""``svg``, ``png`` and ``pdf``: what Graphviz renders."""

from __future__ import annotations

from microgpt_tui.graph.drawing import Drawing, Format

DOTS_PER_INCH = 144
"""A pixel for each of the slide's."""


def svg(drawing: Drawing) -> bytes:
    """Its size in pixels, its ground up to the edge."""
    return drawing.page.sized_svg(drawing.rendered("svg"), drawing.style.theme.background)


def png(drawing: Drawing) -> bytes:
    """As large as the slide."""
    return drawing.rendered("png", dpi=DOTS_PER_INCH)


def pdf(drawing: Drawing) -> bytes:
    """One page."""
    return drawing.rendered("pdf")


FORMATS = (
    Format("svg", "for slides and browsers", svg, is_frame=True),
    Format("png", "pixels, as many as the slide has", png, is_frame=True),
    Format("pdf", "for print", pdf),
)
