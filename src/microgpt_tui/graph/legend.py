"""The head of a picture: title, moment, what was folded, and what its colours and lines mean."""

from __future__ import annotations

from microgpt_tui.graph.picture import Box, Picture
from microgpt_tui.graph.presets import Style
from microgpt_tui.graph.state import Reached

TITLE_PIXELS, LINE_PIXELS, LEGEND_PIXELS = 36, 21, 18
"""On the slide, whatever the scale of what is drawn below."""


def escape(text: str) -> str:
    """Text for an HTML-like label."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def head_pixels(picture: Picture, style: Style) -> int:
    """How high the head is on the slide."""
    height = 0
    if style.title:
        height += 52 if picture.title else 0
        height += 34 * sum(1 for text in (picture.subtitle, picture.note) if text)
    return height + (50 if style.legend else 0)


def words(picture: Picture, style: Style) -> list[tuple[str, str]]:
    """(what a number or a line means, its colour): only of what is in the picture."""
    theme = style.theme
    groups = any(box.node < 0 for box in picture.boxes)
    found = []
    if groups:
        if style.labels in ("both", "grad"):
            found.append(("|grad|: norm", theme.faint))
        if style.edges == "count" and any(a.count > 1 for a in picture.arrows):
            found.append(("×N: N operands", theme.faint))
    else:
        found += [("+ positive: solid", theme.positive), ("− negative: dashed", theme.negative)]
    if any(a.contribution == a.contribution for a in picture.arrows):
        found.append(("◂ the gradient came this way", theme.gradient))
    if style.edges == "contribution" and picture.backward:
        found.append(("edges: contribution to the grad at their start", theme.faint))
    elif style.edges == "local" and not groups:
        found.append(("edges: local gradient", theme.faint))
    return found


def samples(picture: Picture) -> list[tuple[str, Box]]:
    """(what a look means, a box that looks so)."""
    kinds = {box.kind for box in picture.boxes}
    states = {box.state for box in picture.boxes}

    def box(kind: str = "operation", state: Reached = Reached.NONE, *, focus: bool = False) -> Box:
        return Box(0, "", kind, data=0.0, state=state, focus=focus)

    found = []
    if "parameter" in kinds:
        found.append(("parameter", box("parameter")))
    if kinds & {"operation", "group"} and states <= {Reached.NONE}:
        found.append(("computed", box()))
    if "loss" in kinds:
        found.append(("loss", box("loss")))
    if Reached.WAITING in states:
        found.append(("grad not reached", box(state=Reached.WAITING)))
    if Reached.ACCUMULATING in states:
        found.append(("grad … accumulating", box(state=Reached.ACCUMULATING)))
    if Reached.FINAL in states:
        found.append(("grad ✓ final", box(state=Reached.FINAL)))
    if Reached.ZEROED in states:
        found.append(("grad set to zero again", box(state=Reached.ZEROED)))
    if any(b.focus for b in picture.boxes):
        found.append(("selected", box(focus=True)))
    return found
