"""``dot``: the picture for Graphviz and other tools, not yet laid out."""

from __future__ import annotations

from microgpt_tui.graph.dot import document
from microgpt_tui.graph.drawing import Format, Sketch


def write(sketch: Sketch) -> bytes:
    """A DOT document."""
    return document(sketch.picture, sketch.style).encode()


FORMATS = (Format("dot", "for Graphviz and other tools", write_sketch=write),)
