"""What the export dialog's fields mean: what can be chosen, the request, its plan, and a small picture of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.color import Color
from rich.style import Style
from rich.text import Text

from microgpt_tui.graph.addresses import node_at_address
from microgpt_tui.graph.draw import png
from microgpt_tui.graph.draw.shapes import Sheet
from microgpt_tui.graph.engines import Renderer
from microgpt_tui.graph.files import ExportError
from microgpt_tui.graph.fitting import draw, subject_of, what_of
from microgpt_tui.graph.picture import Picture
from microgpt_tui.graph.presets import style_named
from microgpt_tui.graph.request import Request, Subject, What
from microgpt_tui.graph.scene import SceneRequest, Show, scene
from microgpt_tui.graph.whats import WHATS
from microgpt_tui.trace.names import describe
from microgpt_tui.trace.references import NotHere
from microgpt_tui.tui.pane import Pane, View
from microgpt_tui.tui.panes.attention import AttentionPane
from microgpt_tui.tui.panes.graph import GraphPane
from microgpt_tui.tui.panes.tokens import TokensPane

FAULTS = (ExportError, ValueError, OSError)
SHOWN = "shown"


@dataclass(frozen=True, slots=True)
class Shown:
    """What is on screen, as something to draw."""

    what: str = "cone"
    depth: int = 3
    layer: int = 0
    scene: SceneRequest | None = None
    """Of the graph pane."""


def shown_in(panes: list[Pane], view: View) -> Shown:
    """What the first of some panes that shows a picture shows."""
    for pane in panes:
        if isinstance(pane, GraphPane) and pane.node_of(view) >= 0:
            if pane.listing:
                return Shown("paths")
            asked = pane.asked(view)
            return Shown(SHOWN, asked.depth, scene=asked)
        if isinstance(pane, AttentionPane):
            return Shown("attention", layer=pane.at_layer)
        if isinstance(pane, TokensPane):
            return Shown("tokens")
    return Shown()


def whats_for(shown: Shown, screenshot: str) -> dict[str, What]:
    """What can be chosen: the registry's, this screen, and what the graph pane shows."""
    found = {name: what for name, what in WHATS.items() if not what.needs_other}
    found["screen"] = What("screen", "this screen", needs_node=False, lines={"svg": lambda _: iter([screenshot])})
    if shown.scene is not None:
        own = What(SHOWN, "what the graph pane shows", partial(_scene, shown.scene), elastic=True)
        found = {SHOWN: own} | found
    return found


def _scene(asked: SceneRequest, subject: Subject) -> Picture:
    """The pane's boxes and arrows around a value."""
    request = replace(asked, node=subject.node, depth=subject.request.depth)
    found = scene(subject.trace, subject.shown, request).picture
    if subject.shown != subject.event:
        found = scene(subject.trace, subject.event, request).picture
    if not found.boxes:
        raise ExportError("no path here: the graph pane shows nothing")
    other = " and the loss" if asked.show is Show.BETWEEN and asked.other < 0 else ""
    found.title = f"{asked.show.value} {describe(subject.trace, subject.node)}{other}"
    return found


@dataclass(frozen=True, slots=True)
class Choice:
    """What the dialog's fields say."""

    what: What
    form: str
    theme: str
    size: str
    labels: str
    edges: str
    direction: str
    frames: bool
    node: str
    depth: str
    budget: str
    file: str

    @property
    def path(self) -> Path:
        """Where to."""
        return Path(self.file).expanduser()


def request_of(choice: Choice, view: View, layer: int = 0) -> Request:
    """The choice as a request to draw. Raises ExportError for a value, depth or budget that is none."""
    fits = choice.direction == "auto"
    style = style_named(
        choice.theme, choice.size, "lr" if fits else choice.direction, choice.labels, choice.edges
    )  # fmt: skip
    node = view.node
    if choice.node:
        try:
            node = node_at_address(view.trace, choice.node, view.event)
        except NotHere as error:
            raise ExportError(f"value: {error}") from None
    return Request(
        choice.what.name, node, depth=_count("depth", choice.depth, 1), budget=_count("budget", choice.budget, 3),
        layer=layer, style=style, script=view.debugger.launch.script.name, entry=choice.what, auto_direction=fits,
    )  # fmt: skip


def _count(name: str, text: str, least: int) -> int:
    if not text.isdigit() or int(text) < least:
        raise ExportError(f"{name}: {text!r} is no number of {least} or more")
    return int(text)


def plan_of(choice: Choice, view: View, layer: int, cancelled: Callable[[], bool]) -> tuple[str, Sheet | None]:
    """What will be drawn in words, and the drawing itself. Raises Cancelled."""
    what = choice.what
    if what.picture is None:
        return f"{what.meaning} · no layout needed", None
    try:
        request = request_of(choice, view, layer)
        subject = subject_of(view.trace, view.event, request)
        if what.figure is not None:
            figure = what.figure(subject, None)
            text = f"{figure.sheet.title} · {len(figure.parts)} boxes, {len(figure.plan.edges)} edges · our own layout"
            return "\n".join([text, *figure.notes]), figure.sheet
        drawing = draw(view.trace, view.event, request, Renderer(cancelled=cancelled))
    except FAULTS as error:
        return str(error), None
    picture = drawing.picture
    text = picture.title
    if not picture.rows:
        drawer = Renderer().description
        text = f"{describe(view.trace, subject.node)} · " if what_of(request).needs_node and subject.node >= 0 else ""
        text += f"{len(picture.boxes)} boxes, {len(picture.arrows)} edges · {drawer}"
    return "\n".join(t for t in (text, picture.note, *drawing.notes) if t), drawing.sheet()


def preview(sheet: Sheet, columns: int, rows: int) -> Text:
    """A sheet in half blocks: two pixels a cell."""
    scale = min(columns / sheet.width, 2 * rows / sheet.height)
    lines = png.pixels(sheet, scale)
    text = Text(no_wrap=True)
    for top, low in zip(lines[::2], [*lines[1::2], lines[-1]], strict=False):
        for x in range(0, len(top), 3):
            upper, lower = (Color.from_rgb(*line[x : x + 3]) for line in (top, low))
            text.append("▀", Style(color=upper, bgcolor=lower))
        text.append("\n")
    return text
