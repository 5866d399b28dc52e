"""The export dialog: what, how, where to; what will be drawn; the way it goes, and where it went."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Input, Label, Select, Static

from microgpt_tui.graph.engines import Renderer
from microgpt_tui.graph.export import export, formats_of
from microgpt_tui.graph.files import ExportError, Written
from microgpt_tui.graph.fitting import picture_for
from microgpt_tui.graph.formats import FORMATS
from microgpt_tui.graph.presets import EDGES, LABELS, SIZES, THEMES, style_named
from microgpt_tui.graph.request import Request, What
from microgpt_tui.graph.whats import WHATS
from microgpt_tui.trace.names import describe
from microgpt_tui.tui.dialog import Dialog
from microgpt_tui.tui.pane import View

FAULTS = (ExportError, ValueError, OSError)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the dialog's fields say."""

    what: str
    form: str
    theme: str
    size: str
    labels: str
    edges: str
    direction: str
    file: str


class ExportScreen(Dialog[Path | None]):
    """Asks, draws in a thread, and says where the picture is. Dismissed with the path, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "close"), Binding("ctrl+s", "write", "write")]
    DEFAULT_CSS = """
    ExportScreen { align: center middle; background: $background 60%; }
    ExportScreen > Vertical {
        width: 78; max-width: 100%; height: auto; max-height: 100%; padding: 0 1;
        background: #1a1f2a; border: round #4a5266; border-title-color: #f2c14e;
    }
    ExportScreen Grid { grid-size: 4; grid-columns: 8 1fr 8 1fr; grid-rows: 1; grid-gutter: 0 1; height: auto; }
    ExportScreen Select, ExportScreen Input { width: 1fr; }
    ExportScreen Label { color: #7b869c; }
    ExportScreen #what, ExportScreen #file { column-span: 3; }
    ExportScreen #plan, ExportScreen #said { height: auto; min-height: 2; margin-top: 1; }
    ExportScreen Horizontal { height: auto; align-horizontal: right; }
    ExportScreen Button { margin-left: 1; }
    ExportScreen .hidden { display: none; }
    """

    class Planned(Message):
        """A thread has found out what would be drawn."""

        def __init__(self, number: int, text: str) -> None:
            super().__init__()
            self.number = number
            self.text = text

    class Progress(Message):
        """A thread has come a step further."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Done(Message):
        """A thread has written the file, or has not."""

        def __init__(self, written: Written | None, fault: str = "", *, exists: bool = False) -> None:
            super().__init__()
            self.written = written
            self.fault = fault
            self.exists = exists

    def __init__(self, view: View, screenshot: str = "", folder: Path | None = None, *, file: str = "") -> None:
        super().__init__()
        self.file = file
        """The path to propose; empty for one named after what is drawn."""
        self.shown = view
        screen = What("screen", "this screen", needs_node=False, lines={"svg": lambda _: iter([screenshot])})
        self.whats = {name: what for name, what in WHATS.items() if not what.needs_other} | {"screen": screen}
        """What can be chosen. The other end of a slice is given to :export; the screen below was taken before the
        dialog covered it."""
        self.folder = folder or Path.cwd()
        self.cancelled = threading.Event()
        self.busy = False
        self.plan_number = 0
        self.path: Path | None = None

    @classmethod
    def over(cls, app: App[object], view: View) -> ExportScreen:
        """The dialog for what is on screen now."""
        return cls(view, app.export_screenshot())

    # -- what it looks like ------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Export a picture"
            with Grid():
                yield Label("what")
                options = [(f"{name}: {what.meaning}", name) for name, what in self.whats.items()]
                yield _select("what", options, "cone")
                yield Label("format")
                yield _select("form", [(f, f) for f in FORMATS], "svg")
                yield Label("size")
                yield _select("size", [(s, s) for s in SIZES], "16:9")
                yield Label("colours")
                yield _select("theme", [(t, t) for t in THEMES], "light")
                yield Label("labels")
                yield _select("labels", [(x, x) for x in LABELS], "both")
                yield Label("edges")
                yield _select("edges", [(x, x) for x in EDGES], "count")
                yield Label("runs")
                yield _select(
                    "direction", [("as it fits", "auto"), ("left to right", "lr"), ("top down", "td")], "auto"
                )
                yield Label("file")
                yield Input(self.file or str(self.folder / "microgpt-cone.svg"), id="file", compact=True)
            yield Static("", id="plan", markup=False)
            yield Static("", id="said", markup=False)
            with Horizontal():
                yield Button("Overwrite", id="overwrite", classes="hidden", compact=True)
                yield Button("Open it", id="open", classes="hidden", compact=True)
                yield Button("Write", id="write", variant="primary", compact=True)
                yield Button("Close", id="close", compact=True)

    def on_mount(self) -> None:
        self.query_one("#what", Select).focus()
        self._plan()

    # -- what is asked for -------------------------------------------------------------------

    def choice(self) -> Choice:
        """The fields as they are now."""
        values = {name: str(self.query_one(f"#{name}", Select).value) for name in
                  ("what", "form", "theme", "size", "labels", "edges", "direction")}  # fmt: skip
        return Choice(file=self.query_one("#file", Input).value.strip(), **values)

    def request(self, choice: Choice) -> Request:
        """The choice as a request to draw."""
        fits = choice.direction == "auto"
        style = style_named(choice.theme, choice.size, "lr" if fits else choice.direction, choice.labels, choice.edges)
        script = self.shown.debugger.launch.script.name
        return Request(choice.what, self.shown.node, style=style, script=script, auto_direction=fits)

    @on(Select.Changed)
    def _changed(self, event: Select.Changed) -> None:
        if event.select.id in ("what", "form"):
            self._suit_file(event.select.id)
        self._plan()

    def _suit_file(self, changed: str) -> None:
        """Keep the file's name in step with the fields, and the format one that there is."""
        what, form = (str(self.query_one(f"#{n}", Select).value) for n in ("what", "form"))
        forms = formats_of(self.whats[what])
        if form not in forms:
            self.query_one("#form", Select).value = form = forms[0]
        field = self.query_one("#file", Input)
        old = Path(field.value or "picture")
        stem = f"microgpt-{what}" if changed == "what" and old.stem.startswith("microgpt-") else old.stem
        field.value = str(old.with_name(f"{stem}.{form}"))

    def _plan(self) -> None:
        self.plan_number += 1
        self._find_out(self.plan_number, self.choice())

    @work(thread=True, exclusive=True, group="plan", exit_on_error=False)
    def _find_out(self, number: int, choice: Choice) -> None:
        self.post_message(self.Planned(number, plan_text(self.shown, self.whats[choice.what], choice, self.request)))

    @on(Planned)
    def _show_plan(self, event: Planned) -> None:
        if event.number == self.plan_number:
            self.query_one("#plan", Static).update(event.text)

    # -- the work ----------------------------------------------------------------------------

    def action_write(self) -> None:
        """Draw and write."""
        self._start(overwrite=False)

    @on(Button.Pressed, "#write")
    def _write_pressed(self) -> None:
        self._start(overwrite=False)

    @on(Button.Pressed, "#overwrite")
    def _overwrite_pressed(self) -> None:
        self._start(overwrite=True)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._start(overwrite=False)

    def _start(self, *, overwrite: bool) -> None:
        if self.busy:
            return
        choice = self.choice()
        if not choice.file:
            self._say("Where to? Type a file name.")
            return
        self.busy = True
        self.cancelled.clear()
        self.query_one("#overwrite").add_class("hidden")
        self.query_one("#close", Button).label = "Cancel"
        self._say("drawing …")
        self._draw(choice, overwrite)

    @work(thread=True, group="draw", exit_on_error=False)
    def _draw(self, choice: Choice, overwrite: bool) -> None:
        path, view = Path(choice.file).expanduser(), self.shown
        if path.exists() and not overwrite:
            self.post_message(self.Done(None, f"{path} exists already. Overwrite it?", exists=True))
            return
        renderer = Renderer(
            cancelled=self.cancelled.is_set, progress=lambda line: void(self.post_message(self.Progress(line)))
        )
        try:
            written = export(
                view.trace, view.event, self.request(choice), path, overwrite=overwrite, renderer=renderer,
                what=self.whats[choice.what],
            )  # fmt: skip
        except FAULTS as error:
            self.post_message(self.Done(None, str(error)))
        else:
            self.post_message(self.Done(written))

    @on(Progress)
    def _show_progress(self, event: Progress) -> None:
        if self.busy:
            self._say(event.text)

    @on(Done)
    def _finish(self, event: Done) -> None:
        self.busy = False
        self.query_one("#close", Button).label = "Close"
        if event.written is None:
            self._say(event.fault)
            self.query_one("#overwrite").set_class(not event.exists, "hidden")
            if event.exists:
                self.query_one("#overwrite", Button).focus()
            return
        self.path = event.written.path
        self._say(str(event.written))
        self.query_one("#open").set_class(opener() is None, "hidden")
        self.query_one("#close", Button).focus()

    def _say(self, line: str) -> None:
        self.query_one("#said", Static).update(line)

    # -- the end -----------------------------------------------------------------------------

    @on(Button.Pressed, "#open")
    def _open_pressed(self) -> None:
        program = opener()
        if program is not None and self.path is not None:
            subprocess.Popen(
                [program, str(self.path)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    @on(Button.Pressed, "#close")
    def _close_pressed(self) -> None:
        self.action_close()

    def action_close(self) -> None:
        """Stop what is being drawn; when nothing is, close the dialog."""
        if self.busy:
            self.cancelled.set()
            self._say("stopping …")
        else:
            self.dismiss(self.path)


def _select(name: str, options: list[tuple[str, str]], value: str) -> Select[str]:
    return Select(options, value=value, allow_blank=False, id=name, compact=True)


def void(_: object) -> None:
    """Nothing, of something."""


def opener() -> str | None:
    """The program that opens a file as the desktop would, or None."""
    return shutil.which("open" if sys.platform == "darwin" else "xdg-open")


def plan_text(view: View, what: What, choice: Choice, request: Callable[[Choice], Request]) -> str:
    """What will be drawn: the subject, how many boxes and edges, by which engine."""
    if what.picture is None:
        return f"{what.meaning} · no layout needed"
    try:
        drawer = Renderer().engine.description
    except ExportError as error:
        drawer = f"no engine: the .dot file will be written. {error}"
    try:
        picture = picture_for(view.trace, view.event, request(choice))
    except FAULTS as error:
        return str(error)
    if picture.rows:
        return f"{picture.title} · {drawer}"
    subject = describe(view.trace, view.node) if view.node >= 0 else ""
    note = f"\n{picture.note}" if picture.note else ""
    return f"{subject} · {len(picture.boxes)} boxes, {len(picture.arrows)} edges · {drawer}{note}"
