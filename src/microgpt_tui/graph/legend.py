"""The head of a picture: title, moment, what was folded, and what its colours and lines mean."""

from __future__ import annotations

from microgpt_tui.graph.page import Page
from microgpt_tui.graph.picture import Picture
from microgpt_tui.graph.presets import Style, Theme
from microgpt_tui.graph.state import Reached

NODE_TEXT, SMALL_TEXT = 14, 12
"""Points, before a slide scales the whole picture to its size."""
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


def heading(picture: Picture, style: Style, page: Page) -> str:
    """The head as an HTML-like table as wide as the page; empty when the style wants none."""
    theme = style.theme
    rows = []
    unit = 1 / page.scale
    if style.title and picture.title:
        rows.append(_line(f"<B>{escape(picture.title)}</B>", TITLE_PIXELS * unit, theme.text))
    if style.title:
        for text in (picture.subtitle, picture.note):
            if text:
                rows.append(_line(escape(text), LINE_PIXELS * unit, theme.faint))
    if style.legend and picture.legend:
        rows.append(_line(escape(picture.legend), LEGEND_PIXELS * unit, theme.faint))
    elif style.legend and not picture.rows:
        rows.append(f'<TR><TD ALIGN="LEFT">{_legend(picture, style, LEGEND_PIXELS * unit)}</TD></TR>')
    if not rows:
        return ""
    return (
        f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="{round(4 * unit)}" '
        f'WIDTH="{page.inner_width:.0f}">{"".join(rows)}</TABLE>'
    )


def _line(text: str, points: float, color: str) -> str:
    return f'<TR><TD ALIGN="LEFT"><FONT POINT-SIZE="{points:.2f}" COLOR="{color}">{text}</FONT></TD></TR>'


def _legend(picture: Picture, style: Style, points: float) -> str:
    """A row of samples: only of what is in the picture."""
    theme = style.theme
    cells = [
        _sample(text, fill, pattern, line, theme, points) for text, fill, pattern, line in _samples(picture, theme)
    ]
    for text, color in _words(picture, style):
        cells.append(f'<TD><FONT POINT-SIZE="{points:.2f}" COLOR="{color}">  {escape(text)}</FONT></TD>')
    gap = max(2, round(points / 2.5))
    return f'<TABLE BORDER="0" CELLSPACING="{gap}" CELLPADDING="{max(1, gap // 2)}"><TR>{"".join(cells)}</TR></TABLE>'


def _words(picture: Picture, style: Style) -> list[tuple[str, str]]:
    """(what a number or a line means, its colour)."""
    theme = style.theme
    groups = any(box.node < 0 for box in picture.boxes)
    words = []
    if groups:
        if style.labels != "names":
            words.append(("numbers: root mean square", theme.faint))
        if style.edges == "count":
            words.append(("×N: N operands", theme.faint))
    else:
        words += [("+ positive: solid", theme.positive), ("− negative: dashed", theme.negative)]
    if style.edges == "contribution" and picture.backward:
        words.append(("edges: contribution to the grad at their start", theme.faint))
    elif style.edges == "local" and not groups:
        words.append(("edges: local gradient", theme.faint))
    return words


def _samples(picture: Picture, theme: Theme) -> list[tuple[str, str, str, str]]:
    kinds = {box.kind for box in picture.boxes}
    states = {box.state for box in picture.boxes}
    found = []
    if "parameter" in kinds:
        found.append(("parameters", theme.parameter, "SOLID", theme.box_line))
    if kinds & {"operation", "group"} and states <= {Reached.NONE}:
        found.append(("computed", theme.box, "ROUNDED", theme.box_line))
    if "loss" in kinds:
        found.append(("loss", theme.loss, "ROUNDED", theme.box_line))
    if Reached.WAITING in states:
        found.append(("grad not reached", theme.waiting, "ROUNDED,DASHED", theme.box_line))
    if Reached.ACCUMULATING in states:
        found.append(("grad accumulating", theme.accumulating, "ROUNDED", theme.accumulating_line))
    if Reached.FINAL in states:
        found.append(("grad final", theme.final, "ROUNDED", theme.box_line))
    if any(box.focus for box in picture.boxes):
        found.append(("selected", theme.background, "ROUNDED", theme.focus))
    return found


def _sample(text: str, fill: str, pattern: str, line: str, theme: Theme, points: float) -> str:
    return (
        f'<TD BORDER="2" COLOR="{line}" BGCOLOR="{fill}" STYLE="{pattern}">'
        f'<FONT POINT-SIZE="{points:.2f}" COLOR="{theme.text}"> {escape(text)} </FONT></TD>'
    )
