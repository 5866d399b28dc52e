"""What a pane is: a Line API widget that draws a pure function of the moment."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.history import History
from microgpt_tui.trace.trace import Program, Trace
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line
from microgpt_tui.tui.messages import NothingThere

BASE = Style(color=palette.TEXT, bgcolor=palette.BACKGROUND)
"""What every line is drawn on."""
_CUT = Segment("…", Style(color=palette.DIM))
"""Stands where a line is longer than its pane."""
KEPT = 512
"""Answers that a pane keeps beyond its picture."""

Late = Callable[[], Line]
"""A line that is made when it comes into sight."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class View:
    """Everything that a pane may look at: the moment under the cursor and the selection."""

    debugger: Debugger
    trace: Trace
    event: int
    node: int
    """The selected node: the event's own, or one that was chosen; -1 if there is none."""
    version: tuple[int, int, int, int, int]
    """Changes whenever the picture may: (episode, event, node, trace.version)."""

    @property
    def program(self) -> Program:
        return self.trace.program

    @property
    def history(self) -> History:
        return self.debugger.history


def _faded(segment: Segment) -> Segment:
    return Segment(segment.text, (segment.style or Style()) + Style(color=palette.FAINT, bold=False))


class Pane(ScrollView, can_focus=True, inherit_bindings=False):
    """Base of all panes. Subclasses override ``build``; only visible lines are turned into strips.

    ``build(view, width)`` returns the lines to show, some of them to be made when they come into sight. The picture is
    kept until the moment, the room or ``state_key`` changes; what is dear and outlives a picture, by ``kept``. A pane
    that is too large for a list of lines overrides ``line_count`` and ``line_at``.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_up", "up", show=False),
        Binding("down", "scroll_down", "down", show=False),
        Binding("pageup", "page_up", "page up", show=False),
        Binding("pagedown", "page_down", "page down", show=False),
        Binding("home", "scroll_home", "top", show=False),
        Binding("end", "scroll_end", "end", show=False),
        Binding("left", "nothing('nothing lies beside this: s steps on, S steps back')", show=False),
        Binding("right", "nothing('nothing lies beside this: s steps on, S steps back')", show=False),
        Binding("enter", "nothing('this row leads nowhere')", show=False),
    ]
    # Not those of a scrolling container: what has no columns says so.

    DEFAULT_CSS = """
    Pane { background: $background; color: $foreground; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1; }
    """

    title = ""
    """Shown on the pane's tab or border."""
    explanation = ""
    """Markdown for ``?``: what it shows, why, how to read it. See ``explain``."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.view: View | None = None
        self._lines: list[Line | Late] = []
        self._key: object = None
        self._kept: OrderedDict[Hashable, object] = OrderedDict()
        self.stale = False
        """The script runs on: what is drawn tells of a moment that is past."""
        self._frame: tuple[object, list[Line]] = (None, [])
        """What was drawn last: (place and size, the visible lines)."""

    def action_nothing(self, why: str) -> None:
        """Say that a key leads nowhere here, rather than nothing."""
        self.post_message(NothingThere(why))

    # -- to override -------------------------------------------------------------------------

    def build(self, view: View, width: int) -> Sequence[Line | Late]:
        """The pane's lines at this moment."""
        return []

    def line_count(self, view: View, width: int) -> int:
        """How many lines there are; by default those of ``build``."""
        return len(self._built(view, width))

    def line_at(self, view: View, width: int, index: int) -> Line:
        """One line; by default of ``build``."""
        lines = self._built(view, width)
        line = lines[index] if index < len(lines) else []
        if callable(line):
            line = lines[index] = line()
        return line

    def row(self, view: View, width: int, y: int, count: int) -> Line:
        """The line in a row of the widget; by default the one that is scrolled there."""
        index = y + self.scroll_offset.y
        return self.line_at(view, width, index) if index < count else []

    def state_key(self) -> object:
        """What else the lines depend on (the pane's own modes and selection)."""
        return None

    def explain(self, view: View | None) -> str:
        """The explanation as Markdown, with this moment's numbers in its formulas where there are some."""
        return self.explanation

    def selected_text(self) -> str:
        """The row under the pane's own cursor as text; "" without one."""
        return ""

    # -- what is kept ------------------------------------------------------------------------

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` makes, once for a key; the answers used last are kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
        else:
            self._kept[key] = make()
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        found: T = self._kept[key]  # type: ignore[assignment]  # a key stands for what one function makes
        return found

    def forget(self) -> None:
        """Another run is looked at: nothing that was made for the one before is so."""
        self._kept.clear()

    def _built(self, view: View, width: int) -> list[Line | Late]:
        key = (view.version, len(view.history.summaries), width, self.size.height, self.state_key())
        if key != self._key:
            self._lines = list(self.build(view, width))
            self._key = key
        return self._lines

    # -- drawing -----------------------------------------------------------------------------

    def show(self, view: View) -> None:
        """Show another moment."""
        self.view = view
        self.restate()

    def restate(self) -> None:
        """Draw again after the pane's own state has changed."""
        view = self.view
        if view is None or not self.is_mounted:
            return
        width = self.content_width
        if width <= 0:
            return
        count = self.line_count(view, width)
        size = Size(width, count)
        if self.virtual_size != size:
            self._grow_to(size)
        self._refresh_changed(view, width, count)

    def _grow_to(self, size: Size) -> None:
        """Take another height. The scrollbar has its place always, so nothing has to be laid out anew for it."""
        if self.styles.overflow_y != "scroll" or size.width != self.virtual_size.width or not self.virtual_size.height:
            self.virtual_size = size
            return
        self.set_reactive(Pane.virtual_size, size)
        self.vertical_scrollbar.window_virtual_size = size.height
        if self.scroll_offset.y > self.max_scroll_y:
            self.jump_to(self.max_scroll_y)

    def jump_to(self, y: int) -> None:
        """Scroll there at once: an animation would draw every pane on its way."""
        self.scroll_to(y=max(0, y), animate=False, force=True, immediate=True)

    def reveal(self, line: int, margin: int = 0) -> None:
        """Scroll as little as shows a line."""
        height = self.scrollable_content_region.height or self.size.height
        top = self.scroll_offset.y
        if height <= 0 or line < 0:
            return
        margin = min(margin, max(0, (height - 1) // 2))
        if line < top + margin:
            self.jump_to(line - margin)
        elif line >= top + height - margin:
            self.jump_to(line - height + 1 + margin)

    def _refresh_changed(self, view: View, width: int, count: int) -> None:
        """Draw only the visible lines that differ from those drawn last: most of a step changes little."""
        height = self.size.height
        place = (self.scroll_offset, width, self.size)
        lines = [self.row(view, width, y, count) for y in range(height)]
        before, old = self._frame
        self._frame = place, lines
        if place != before:
            self.refresh()
            return
        changed = [y for y, (new, known) in enumerate(zip(lines, old, strict=True)) if new != known]
        if len(changed) > height // 2:
            self.refresh()
        elif changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    @property
    def content_width(self) -> int:
        """Columns for lines."""
        return self.scrollable_content_region.width or self.size.width

    def on_resize(self) -> None:
        self.restate()

    def render_line(self, y: int) -> Strip:
        view, width, base = self.view, self.size.width, BASE
        if view is None:
            return Strip.blank(width, base)
        inner = self.content_width
        segments = self.row(view, inner, y, self.line_count(view, inner))
        if not segments:
            return Strip.blank(width, base)
        strip = Strip(segments)
        if strip.cell_length > inner:
            strip = Strip([*strip.crop(0, inner - 1), _CUT])
        strip = strip.adjust_cell_length(width).apply_style(base)
        return Strip([_faded(s) for s in strip]) if self.stale else strip


def own_keys(pane: type[Pane]) -> dict[str, str]:
    """Textual's names of the keys that a pane binds by itself, beyond those of every pane -> what they do there."""
    found: dict[str, str] = {}
    for base in pane.__mro__[: pane.__mro__.index(Pane)]:
        for binding in vars(base).get("BINDINGS", ()):
            for key in binding.key.split(","):
                found.setdefault(key, binding.description)
    return found
