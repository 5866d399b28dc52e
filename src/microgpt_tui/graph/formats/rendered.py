"""``svg``, ``png`` and ``pdf``: a sheet as it is."""

from __future__ import annotations

from microgpt_tui.graph.draw import pdf, png, svg
from microgpt_tui.graph.drawing import Format

FORMATS = (
    Format("svg", "for slides and browsers", lambda sheet: svg.document(sheet).encode(), is_frame=True),
    Format("png", "pixels, as many as the slide has", png.document, is_frame=True),
    Format("pdf", "for print and LaTeX: one page, exactly the slide", pdf.document),
)
