"""The export dialog: what, how, where to; what will be drawn; the way it goes, and where it went."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Input, Label, Select, Static

from microgpt_tui.graph.addresses import address
from microgpt_tui.graph.engines import Renderer
from microgpt_tui.graph.export import export, formats_of
from microgpt_tui.graph.formats import FORMATS
from microgpt_tui.graph.frames import write_frames
from microgpt_tui.graph.presets import EDGES, LABELS, SIZES, THEMES
from microgpt_tui.session.process import Process
from microgpt_tui.tui.dialog import Dialog
from microgpt_tui.tui.pane import Pane, View
from microgpt_tui.tui.screens.export_choice import (
    FAULTS,
    Choice,
    Shown,
    plan_of,
    preview,
    request_of,
    shown_in,
    whats_for,
)
from microgpt_tui.tui.screenshot import screen_svg

PREVIEW, LEAST = 74, 5
"""Columns of the picture in the dialog; with fewer rows there is none."""


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
    ExportScreen #preview { width: auto; height: auto; margin-top: 1; }
    ExportScreen #plan, ExportScreen #said { height: auto; min-height: 2; margin-top: 1; }
    ExportScreen Horizontal { height: auto; align-horizontal: right; }
    ExportScreen Button { margin-left: 1; }
    ExportScreen .hidden { display: none; }
    """

    class Planned(Message):
        """A thread has found out what would be drawn."""

        def __init__(self, number: int, text: str, preview: Text | None) -> None:
            super().__init__()
            self.number = number
            self.text = text
            self.preview = preview

    class Progress(Message):
        """A thread has come a step further."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Done(Message):
        """A thread has written the file, or has not."""

        def __init__(
            self, written: Path | None, said: str = "", *, exists: bool = False, file: BinaryIO | None = None
        ) -> None:
            super().__init__()
            self.written = written
            self.said = said
            self.exists = exists
            self.file = file
            """The picture, for a browser."""

    def __init__(
        self, view: View, screenshot: str = "", folder: Path | None = None, *, file: str = "",
        shown: Shown | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.file = file
        """The path to propose; empty for one named after what is drawn."""
        self.view = view
        self.on_screen = shown or Shown()
        self.whats = whats_for(self.on_screen, screenshot)
        """What can be chosen. The other end of a slice is given to the command line; the screen below was taken before
        the dialog covered it."""
        self.in_browser = view.debugger.launch.in_browser
        """Pictures go to the person's browser: the files of this machine are not theirs."""
        self.folder = folder or (Path() if self.in_browser else Path.cwd())
        self.cancelled = threading.Event()
        self.busy = False
        self.plan_number = 0
        self.path: Path | None = None

    @classmethod
    def over(cls, app: App[Any], view: View, panes: list[Pane], file: str = "") -> ExportScreen:
        """The dialog for what is on screen now: that of the first of some panes that shows a picture."""
        return cls(view, screen_svg(app), file=file, shown=shown_in(panes, view))

    # -- what it looks like ------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Export a picture"
            with Grid():
                yield Label("what")
                options = [(f"{name}: {what.meaning}", name) for name, what in self.whats.items()]
                yield _select("what", options, self.on_screen.what)
                yield Label("value")
                yield Input(self._subject(), id="node", compact=True)
                yield Label("depth")
                yield Input(str(self.on_screen.depth), id="depth", compact=True, type="integer")
                yield Label("boxes")
                yield Input("60", id="budget", compact=True, type="integer")
                yield Label("shows")
                shows = [("this moment", "picture"), ("frames of backward", "frames")]
                yield _select("frames", shows, "picture")
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
                file = self.folder / f"microgpt-{self.on_screen.what}.svg"
                yield Input(self.file or str(file), id="file", compact=True)
            yield Static("", id="preview", classes="hidden")
            yield Static("", id="plan", markup=False)
            yield Static("", id="said", markup=False)
            with Horizontal():
                yield Button("Overwrite", id="overwrite", classes="hidden", compact=True)
                yield Button("Open it", id="open", classes="hidden", compact=True)
                yield Button("Write", id="write", variant="primary", compact=True)
                yield Button("Close", id="close", compact=True)

    def _subject(self) -> str:
        return address(self.view.trace, self.view.node) if self.view.node >= 0 else ""

    def on_mount(self) -> None:
        self.query_one("#what", Select).focus()
        self._plan()

    # -- what is asked for -------------------------------------------------------------------

    def choice(self) -> Choice:
        """The fields as they are now."""
        values = {name: str(self.query_one(f"#{name}", Select).value) for name in
                  ("form", "theme", "size", "labels", "edges", "direction")}  # fmt: skip
        texts = {name: self.query_one(f"#{name}", Input).value.strip() for name in ("node", "depth", "budget", "file")}
        what = self.whats[str(self.query_one("#what", Select).value)]
        return Choice(what, frames=self.query_one("#frames", Select).value == "frames", **values, **texts)

    @on(Select.Changed)
    def _changed(self, event: Select.Changed) -> None:
        if event.select.id in ("what", "form", "frames"):
            self._suit_file(event.select.id)
        self._plan()

    @on(Input.Changed, "#node, #depth, #budget")
    def _typed(self) -> None:
        self._plan()

    def _suit_file(self, changed: str) -> None:
        """Keep the file's name in step with the fields, and the format one that there is."""
        choice = self.choice()
        forms = [f for f in formats_of(choice.what) if not choice.frames or FORMATS[f].is_frame]
        if not forms:
            self.query_one("#frames", Select).value = "picture"
            return
        form = choice.form
        if form not in forms:
            self.query_one("#form", Select).value = form = forms[0]
        field = self.query_one("#file", Input)
        old = Path(field.value or "picture")
        ours = old.stem.startswith("microgpt-")
        stem = f"microgpt-{choice.what.name}" if changed != "form" and ours else old.stem
        field.value = str(old.with_name(f"{stem}-backward" if choice.frames and ours else f"{stem}.{form}"))

    def _plan(self) -> None:
        self.plan_number += 1
        self._find_out(self.plan_number, self.choice())

    @work(thread=True, exclusive=True, group="plan", exit_on_error=False)
    def _find_out(self, number: int, choice: Choice) -> None:
        text, sheet = plan_of(choice, self.view, self.on_screen.layer, lambda: number != self.plan_number)
        if number == self.plan_number:
            rows = self.room
            small = preview(sheet, PREVIEW, rows) if sheet is not None and rows >= LEAST else None
            self.post_message(self.Planned(number, text, small))

    @property
    def room(self) -> int:
        """Rows that are left for a picture."""
        return min(22, self.app.size.height - 18)

    @on(Planned)
    def _show_plan(self, event: Planned) -> None:
        if event.number == self.plan_number:
            self.query_one("#plan", Static).update(event.text)
            self.query_one("#preview", Static).update(event.preview or "")
            self.query_one("#preview").set_class(event.preview is None, "hidden")

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
        if not self.in_browser:
            self._draw_to(choice, choice.path, overwrite)
            return
        process = self.view.debugger.first.process  # its folder goes with the session, however that ends
        with TemporaryDirectory(dir=process.folder.path if isinstance(process, Process) else None) as folder:
            self._draw_to(choice, Path(folder) / choice.path.name, overwrite)

    def _draw_to(self, choice: Choice, path: Path, overwrite: bool) -> None:
        view = self.view
        taken = path.is_dir() and any(path.iterdir()) if choice.frames else path.exists()
        if taken and not overwrite:
            said = f"{path} has files in it" if choice.frames else f"{path} exists already"
            self.post_message(self.Done(None, f"{said}. Overwrite {'them' if choice.frames else 'it'}?", exists=True))
            return
        renderer = Renderer(
            cancelled=self.cancelled.is_set, progress=lambda line: void(self.post_message(self.Progress(line)))
        )
        try:
            request = request_of(choice, view, self.on_screen.layer)
            if choice.frames:
                paths = write_frames(
                    view.trace, view.event, request, path, choice.form, overwrite=overwrite, renderer=renderer
                )  # fmt: skip
                said = f"Wrote {len(paths) - 1} frames and {paths[-1]}"
                written = paths[-1]
            else:
                done = export(view.trace, view.event, request, path, overwrite=overwrite, renderer=renderer)
                written, said = done.path, str(done)
        except FAULTS as error:
            self.post_message(self.Done(None, str(error)))
        else:
            if self.in_browser:
                said = f"{written.name}: it opens in a tab of its own"
            self.post_message(self.Done(written, said, file=written.open("rb") if self.in_browser else None))

    @on(Progress)
    def _show_progress(self, event: Progress) -> None:
        if self.busy:
            self._say(event.text)

    @on(Done)
    def _finish(self, event: Done) -> None:
        self.busy = False
        self.query_one("#close", Button).label = "Close"
        if event.written is None:
            self._say(event.said)
            self.query_one("#overwrite").set_class(not event.exists, "hidden")
            if event.exists:
                self.query_one("#overwrite", Button).focus()
            return
        self.path = event.written
        self._say(event.said)
        self.query_one("#open").set_class(self.in_browser or opener() is None, "hidden")
        if event.file is not None:
            name = re.sub(r"[^\w.-]", "_", event.written.name)
            self.app.deliver_binary(event.file, save_filename=name, open_method="browser")
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
