"""The tour at the foot of the screen: where it is, what there is to see, and the keys that lead on."""

from __future__ import annotations

from textwrap import wrap
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widget import Widget

from microgpt_tui.narrate.tour import TourStop
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.tui import palette
from microgpt_tui.tui.messages import CommandChosen, TourStopped

MOST = 5
"""Rows of text at most."""
KEYS = "⏎ next · ⌫ back · Esc leaves (t comes back)"


class TourStrip(Widget, can_focus=True):
    """Rows below the panes, only while the tour is on. At a stop it has the focus; any pane can take it."""

    DEFAULT_CSS = "TourStrip { height: 2; background: $panel; display: none; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "walk('next')", "next", show=False),
        Binding("backspace", "walk('back')", "back", show=False),
        Binding("escape", "walk('off')", "leave", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.title = ""
        self.lines: list[str] = []
        self._shown: tuple[str, TourStop] | None = None

    def show(self, debugger: Debugger) -> None:
        """Tell of the stop where the tour is, if it is on; a new one is announced, for its pane to be shown."""
        stop = debugger.tour.stop(debugger) if debugger.tour.shown else None
        if stop is None:
            self._shown, self.display = None, False
            return
        self.title = debugger.tour.title(debugger)
        width = max(20, self.app.size.width - 4)
        self.lines = wrap(stop.text, width, max_lines=MOST, placeholder=" …", break_on_hyphens=False)
        self.styles.height = 1 + len(self.lines)
        self.display = True
        self.refresh()
        if (self.title, stop) != self._shown:
            self._shown = self.title, stop
            self.post_message(TourStopped(stop.pane, stop.node))

    def action_walk(self, where: str) -> None:
        """On, back, or away."""
        self.post_message(CommandChosen(f"tour {where}"))

    def render_line(self, y: int) -> Strip:
        base, width = Style(bgcolor=palette.PANEL), self.size.width
        if y == 0:
            head = f" ▸ {self.title}"
            keys = KEYS if cell_len(head) + cell_len(KEYS) + 3 <= width else ""
            gap = " " * max(1, width - cell_len(head) - cell_len(keys) - 1)
            title = Segment(head, base + Style(color=palette.ACCENT, bold=True))
            return Strip([title, Segment(gap + keys, base + Style(color=palette.DIM))]).adjust_cell_length(width, base)
        text = self.lines[y - 1] if y <= len(self.lines) else ""
        return Strip([Segment(f"   {text}", base + Style(color=palette.TEXT))]).adjust_cell_length(width, base)
