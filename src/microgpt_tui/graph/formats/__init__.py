"""Every format of files. To add one, copy a file of this folder and name it in the list below."""

from __future__ import annotations

from microgpt_tui.graph.drawing import Format
from microgpt_tui.graph.formats import dot, html, json, rendered

FORMATS: dict[str, Format] = {form.name: form for module in (rendered, html, dot, json) for form in module.FORMATS}
"""A file's ending -> the format."""
