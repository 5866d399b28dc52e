"""Every format of files. To add one, copy a file of this folder and name it in the list below."""

from __future__ import annotations

from microgpt_tui.graph.drawing import Format
from microgpt_tui.graph.formats import dot, json, pdf, png, svg

FORMATS: dict[str, Format] = {module.FORMAT.name: module.FORMAT for module in (svg, png, pdf, dot, json)}
"""A file's ending -> the format."""
