"""The timeline: the episode's phases as coloured spans, where we are in it, and what there is to see."""

from __future__ import annotations

from time import monotonic

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from microgpt_tui.protocol.codes import PHASE_NAMES
from microgpt_tui.trace.positions import position_site, positions
from microgpt_tui.trace.trace import Trace
from microgpt_tui.tui import palette
from microgpt_tui.tui.messages import MomentChosen
from microgpt_tui.tui.pane import View

AHEAD = 6
"""Columns that stand for the part of a running episode that is still to come."""
SLOW = 0.004
"""Seconds that a search for stops may take in every step."""


class Timeline(Widget):
    """One line. ━ is behind the cursor ▲, ─ before it, ┈ not recorded; ╸ a position begins; ● breakpoint, ✕ NaN."""

    DEFAULT_CSS = "Timeline { height: 1; background: $surface; }"

    class Scrubbed(Message):
        """The cursor was dragged over an event."""

        def __init__(self, event: int) -> None:
            super().__init__()
            self.event = event

    view: reactive[View | None] = reactive(None, layout=False)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._dragging = False
        self._stops: tuple[object, int, bool, list[tuple[int, str]]] = (None, -1, False, [])

    def watch_view(self) -> None:
        """Draw again."""
        self.refresh()

    # -- places ------------------------------------------------------------------------------

    def _bar(self, trace: Trace) -> tuple[int, int, int]:
        """First column, columns of the recorded part, columns of what is to come."""
        left, right = self._labels(trace)
        room = max(4, self.size.width - len(left) - len(right))
        ahead = 0 if trace.complete else min(AHEAD, room // 4)
        return len(left), room - ahead, ahead

    def _labels(self, trace: Trace) -> tuple[str, str]:
        event = self.view.event + 1 if self.view is not None else 0
        kind = trace.episode_kind
        name = {"step": str(trace.number), "sample": f"sample {trace.number}"}.get(kind, kind)
        size = len(f"{len(trace):,}") + len(name) + 1
        return " ", f" {name}:{event:,}".rjust(size + 1) + " "

    def column_of(self, trace: Trace, event: int) -> int:
        """The column an event is drawn in."""
        first, room, _ = self._bar(trace)
        return first + (event * (room - 1) // max(1, len(trace) - 1) if len(trace) > 1 else room - 1)

    def event_at(self, trace: Trace, column: int) -> int:
        """The event that a column stands for."""
        first, room, _ = self._bar(trace)
        place = max(0, min(room - 1, column - first))
        return min(len(trace) - 1, round(place * (len(trace) - 1) / max(1, room - 1)))

    def _iteration_starts(self, trace: Trace) -> list[int]:
        """First events of the iterations of the loop over positions."""
        site = position_site(trace)
        return [trace.scope_first[s] for s in positions(trace).position if trace.scope_site[s] == site]

    # -- drawing -----------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        base = Style(bgcolor=palette.SURFACE)
        view = self.view
        width = self.size.width
        if view is None or not len(view.trace):
            return Strip([Segment(" " * width, base)])
        trace = view.trace
        first, room, ahead = self._bar(trace)
        left, right = self._labels(trace)
        cursor = self.column_of(trace, view.event)
        cells = [" "] * (first + room + ahead)
        styles = [base + Style(color=palette.FAINT)] * len(cells)
        for i, character in enumerate(left):
            cells[i] = character
        for begin, end, phase in trace.phase_spans:
            self._span(trace, cells, styles, base, (begin, end, phase), cursor)
        self._ticks(trace, cells, styles, base, cursor)
        for i in range(first + room, first + room + ahead):
            cells[i] = "┈"
        for column, mark, color in self._marks(view):
            cells[column] = mark
            styles[column] = base + Style(color=color, bold=True)
        cells[cursor] = "▲"
        styles[cursor] = base + Style(color=palette.ACCENT, bold=True)
        segments = [Segment(c, s) for c, s in zip(cells, styles, strict=True)]
        segments.append(Segment(right, base + Style(color=palette.DIM)))
        return Strip(segments).simplify().adjust_cell_length(width, base)

    def _span(
        self, trace: Trace, cells: list[str], styles: list[Style], base: Style, span: tuple[int, int, int], cursor: int
    ) -> None:
        begin, end, phase = span
        a, b = self.column_of(trace, begin), self.column_of(trace, end)
        color = palette.PHASE_COLORS[phase]
        for column in range(a, b + 1):
            behind = column <= cursor
            cells[column] = "━" if behind else "─"
            styles[column] = base + Style(color=color)
        label = f" {palette.PHASE_MARKS[phase]} {PHASE_NAMES[phase]} "
        if b - a + 1 < len(label) + 2:
            label = f" {palette.PHASE_MARKS[phase]} "
        if b - a + 1 >= len(label) + 2:
            for i, character in enumerate(label):
                cells[a + 1 + i] = character
                styles[a + 1 + i] = base + Style(color=color, bold=True)

    def _ticks(self, trace: Trace, cells: list[str], styles: list[Style], base: Style, cursor: int) -> None:
        starts = self._iteration_starts(trace)
        if not 1 < len(starts) <= self.size.width // 4:
            return
        for start in starts:
            column = self.column_of(trace, start)
            if cells[column] in "━─":
                cells[column] = "┿" if column <= cursor else "┼"

    def _marks(self, view: View) -> list[tuple[int, str, str]]:
        """Places where breakpoints stop, and where a NaN or an infinity was made."""
        trace, breakpoints = view.trace, view.debugger.breakpoints
        key = (trace.index, trace.first_node, breakpoints.revision)
        known, version, slow, found = self._stops
        if known != key or (version != trace.version and not slow):
            begin = monotonic()
            found = [
                (event, "✕" if b.place.kind == "nan" else "●")
                for b in breakpoints if b.enabled and b.log is None
                for event in breakpoints.stops_of(b, trace)
            ]  # fmt: skip
            # While the episode grows step by step a slow search is not made anew for every step.
            self._stops = key, trace.version, not trace.complete and monotonic() - begin > SLOW, found
        return [(self.column_of(trace, event), mark, palette.BAD) for event, mark in found if event < len(trace)]

    # -- mouse -------------------------------------------------------------------------------

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if self.view is not None:
            self._dragging = True
            self.capture_mouse()
            self.post_message(MomentChosen(self.event_at(self.view.trace, event.x), self.view.trace.index))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragging and self.view is not None:
            target = self.event_at(self.view.trace, event.x)
            if target != self.view.event:
                self.post_message(self.Scrubbed(target))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self._dragging = False
        self.release_mouse()
