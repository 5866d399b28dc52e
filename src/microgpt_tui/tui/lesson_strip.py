"""The lesson at the foot of the screen: a stop of the tour, or a question, and the keys that lead on."""

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
from microgpt_tui.tui.messages import Asked, CommandChosen, TourStopped

MOST = 5
"""Rows of text at most."""
KEYS = {"tour": "⏎ next · ⌫ back · Esc leaves (t comes back)", "predict": "⏎ the next question · Esc leaves"}


class LessonStrip(Widget, can_focus=True):
    """Rows below the panes, only while there is a lesson. At a stop it has the focus; any pane can take it."""

    DEFAULT_CSS = "LessonStrip { height: 2; background: $panel; display: none; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "walk('next')", "next", show=False),
        Binding("backspace", "walk('back')", "back", show=False),
        Binding("escape", "walk('off')", "leave", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.title = ""
        self.lines: list[str] = []
        self.kind = "tour"
        self._shown: tuple[str, TourStop | str] | None = None

    def show(self, debugger: Debugger) -> None:
        """Tell of the open question, else of the stop where the tour is; what is new is announced."""
        stop = debugger.tour.stop(debugger) if debugger.tour.shown else None
        asked = debugger.prediction.text(debugger)
        told: TourStop | str | None = asked or stop
        if told is None:
            self._shown, self.display = None, False
            return
        self.kind = "predict" if isinstance(told, str) else "tour"
        score = debugger.prediction.score
        self.title = debugger.tour.title(debugger) if isinstance(told, TourStop) else f"predict · {score}".rstrip(" ·")
        text = told.text if isinstance(told, TourStop) else told
        width = max(20, self.app.size.width - 4)
        self.lines = wrap(text, width, max_lines=MOST, placeholder=" …", break_on_hyphens=False)
        self.styles.height = 1 + len(self.lines)
        self.display = True
        self.refresh()
        if (self.title, told) != self._shown:
            self._shown = self.title, told
            if isinstance(told, TourStop):
                self.post_message(TourStopped(told.pane, told.node))
            else:
                self.post_message(Asked(answered=debugger.prediction.open is None))

    def action_walk(self, where: str) -> None:
        """On, back, or away."""
        words = {"next": "predict", "off": "predict off"} if self.kind == "predict" else {}
        self.post_message(CommandChosen(words.get(where, f"tour {where}")))

    def render_line(self, y: int) -> Strip:
        base, width = Style(bgcolor=palette.PANEL), self.size.width
        if y == 0:
            head = f" ▸ {self.title}"
            keys = KEYS[self.kind]
            keys = keys if cell_len(head) + cell_len(keys) + 3 <= width else ""
            gap = " " * max(1, width - cell_len(head) - cell_len(keys) - 1)
            title = Segment(head, base + Style(color=palette.ACCENT, bold=True))
            return Strip([title, Segment(gap + keys, base + Style(color=palette.DIM))]).adjust_cell_length(width, base)
        text = self.lines[y - 1] if y <= len(self.lines) else ""
        return Strip([Segment(f"   {text}", base + Style(color=palette.TEXT))]).adjust_cell_length(width, base)
