"""A stop as a banner: what it was, where, and which key explains it; gone with the next move or Escape."""

from __future__ import annotations

from textwrap import wrap

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from microgpt_tui.protocol.stops import AtBreakpoints, Raised, Stop
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.stops import explain
from microgpt_tui.tui import palette
from microgpt_tui.tui.keymap import keys_of

MOST = 3
"""Rows of text at most."""


def stop_here(debugger: Debugger) -> Stop | None:
    """What has stopped the script at this very moment; None for a mere step or a pause."""
    if debugger.hit is not None and debugger.hit[0] == debugger.moment:
        return debugger.breakpoints.stop_at(debugger.hit[1])
    stop = debugger.history.stop
    if debugger.running or not debugger.at_frontier or stop is None or stop.reason in ("step", "pause"):
        return None
    return stop


def keys_for(stop: Stop) -> str:
    """Which keys lead on from a stop."""
    nan = isinstance(stop, AtBreakpoints) and stop.numbers == (0,)
    offers = [("rootcause", "where it comes from")] if isinstance(stop, Raised) or nan else []
    offers += [("back", "steps back"), ("prevstep", "a training step back")] if stop.over else []
    offers += (
        [("breakpoints", "breakpoints"), ("continue", "on to the next")] if stop.reason == "break" and not nan else []
    )
    return " · ".join(f"{keys_of(name)[0]} {word}" for name, word in offers)


class Banner(Widget):
    """Rows above the narration, only while there is a stop to tell of."""

    DEFAULT_CSS = "Banner { height: 1; background: $panel; display: none; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines: list[str] = []
        self.color = palette.BAD
        self._key: object = None
        self._dismissed: object = None

    def show(self, debugger: Debugger) -> None:
        """Tell of the stop at this moment, if there is one."""
        stop = stop_here(debugger)
        key = (debugger.moment, stop) if stop is not None else None
        if key is None or key == self._dismissed:
            self._key = None
            self.display = False
            return
        if key != self._key and stop is not None:
            self._key = key
            said = explain(stop, debugger.history)
            good = stop.reason == "end" or (stop.reason == "exit" and not stop.status)
            self.color = palette.GOOD if good else palette.BAD
            text = " ".join(part for part in (said.text.rstrip(".") + ".", said.remedy) if part)
            more = " · ".join(part for part in (keys_for(stop), "Escape takes this away") if part)
            width = max(20, self.app.size.width - 4)
            told = wrap(text, width, max_lines=MOST - 1, placeholder=" …", break_on_hyphens=False)
            self.lines = [*told, *wrap(more, width, max_lines=1, placeholder=" …")]
            self.styles.height = len(self.lines)
        self.display = True
        self.refresh()

    def dismiss(self) -> None:
        """Not again for this stop."""
        self._dismissed = self._key
        self.display = False

    def render_line(self, y: int) -> Strip:
        base, width = Style(bgcolor=palette.PANEL), self.size.width
        if y >= len(self.lines):
            return Strip.blank(width, base)
        last = y == len(self.lines) - 1
        look = Style(color=palette.DIM if last else palette.TEXT, bold=y == 0)
        mark = Segment(" ■ " if y == 0 else "   ", base + Style(color=self.color, bold=True))
        return Strip([mark, Segment(self.lines[y], base + look)]).adjust_cell_length(width, base)
