"""``html``: one page by itself, without a network: to zoom, fold, point at, and run through backward and training."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from microgpt_tui.graph.draw import svg
from microgpt_tui.graph.draw.font import FOLDER
from microgpt_tui.graph.draw.shapes import Group, Shape, Sheet
from microgpt_tui.graph.drawing import Format

HERE = Path(__file__).parent


def page(sheet: Sheet, states: Sequence[dict[str, Any]] = (), steps: Sequence[dict[str, Any]] = (),
         about: dict[str, Any] | None = None) -> bytes:  # fmt: skip
    """A page with a sheet. ``states``: per frame of the backward pass, ``steps``: per training step, what differs
    from the sheet (see ``page.js``); ``about``: what pointing at a thing shows."""
    inner = "\n".join(svg.element(shape, letters=False) for shape in sheet.shapes)
    data = {"frames": list(states), "steps": list(steps), "about": about or {}}
    text = (HERE / "page.html").read_text(encoding="utf-8")
    blocks = {
        "TITLE": escape(sheet.title), "BACKGROUND": sheet.background, "INK": _ink(sheet),
        "REGULAR": _letters("regular.ttf"), "BOLD": _letters("bold.ttf"),
        "VIEW": f"0 0 {sheet.width:g} {sheet.height:g}", "SHAPES": inner,
        "DATA": json.dumps(data, ensure_ascii=False, allow_nan=False).replace("</", "<\\/"),
        "SCRIPT": (HERE / "page.js").read_text(encoding="utf-8"),
    }  # fmt: skip
    for name, content in blocks.items():
        text = text.replace("{{" + name + "}}", content)
    return text.encode()


def _ink(sheet: Sheet) -> str:
    return next((t.color for t in sheet.texts), "#000000")


def _letters(name: str) -> str:
    return base64.b64encode((FOLDER / name).read_bytes()).decode()


def differences(before: Sheet, after: Sheet) -> dict[str, Any]:
    """Per named group of a sheet that looks different in another one: its new inside."""
    old, new = _named(before.shapes), _named(after.shapes)
    return {name: _look(group) for name, group in new.items() if _look(group) != _look(old.get(name))}


def _named(shapes: Sequence[Shape]) -> dict[str, Group]:
    found: dict[str, Group] = {}
    for shape in shapes:
        if isinstance(shape, Group):
            inner = _named(shape.shapes)
            if shape.name and not inner:
                found[shape.name] = shape
            found.update(inner)
    return found


def _look(group: Group | None) -> str:
    return "" if group is None else svg.element(group, letters=False)


def write(sheet: Sheet) -> bytes:
    """A page that stands still."""
    return page(sheet, about=tips(sheet))


def tips(sheet: Sheet) -> dict[str, str]:
    """What each named group says of itself."""
    return {name: group.title for name, group in _named(sheet.shapes).items() if group.title}


FORMATS = (Format("html", "one page for a browser, without a network: zoom, fold, hover, sliders", write),)
