"""The status line: script, step, document, phase, event, loss, and why the script stands still."""

from __future__ import annotations

from collections import deque
from time import monotonic

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from microgpt_tui.protocol.codes import PHASE_NAMES
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.stops import explain
from microgpt_tui.trace.place import document, episode_text, position_text
from microgpt_tui.tui import palette
from microgpt_tui.tui.pane import View

WINDOW = 3.0
"""Seconds over which the speed of a free run is taken."""


class Speed:
    """Training steps (or samples) a second, over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, done: int) -> None:
        """So many episodes are finished now."""
        now = monotonic()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > WINDOW:
            self._seen.popleft()

    def reset(self) -> None:
        """A run begins."""
        self._seen.clear()

    @property
    def text(self) -> str:
        """``3.2 steps/s``; empty while there is nothing to tell."""
        if len(self._seen) < 2:
            return ""
        (t0, n0), (t1, n1) = self._seen[0], self._seen[-1]
        if t1 - t0 < 0.2 or n1 <= n0:
            return ""
        rate = (n1 - n0) / (t1 - t0)
        return f"{rate:.0f} steps/s" if rate >= 20 else f"{rate:.1f} steps/s" if rate >= 1 else f"{1 / rate:.1f} s/step"


def reason(debugger: Debugger) -> tuple[str, str]:
    """Why the script stands still, and the colour of it."""
    stop = debugger.history.stop
    if debugger.hit is not None and debugger.hit[0] == debugger.moment:
        stop = debugger.breakpoints.stop_at(debugger.hit[1])
    elif not debugger.at_frontier:
        return ("over · in the recording" if debugger.over else "in the recording"), palette.ACCENT
    if stop is None:
        return "", palette.DIM
    if stop.reason in ("step", "pause"):
        return "paused", palette.DIM
    good = stop.reason == "end" or (stop.reason == "exit" and not stop.status)
    return explain(stop, debugger.history).text.partition("\n")[0], palette.GOOD if good else palette.BAD


class StatusLine(Widget):
    """One line; what matters least goes first when it does not fit."""

    DEFAULT_CSS = "StatusLine { height: 1; background: $panel; }"

    def __init__(self, debugger: Debugger, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.debugger = debugger
        self.view: View | None = None
        self.running = False
        self.speed = Speed()
        self.unanswered = False
        """A pause was asked for and the script does not answer."""

    def show(self, view: View | None, *, running: bool) -> None:
        """Show this moment."""
        self.view, self.running = view, running
        self.refresh()

    def parts(self) -> list[tuple[int, str, str]]:
        """(how dispensable, text, colour), from the left."""
        debugger, view = self.debugger, self.view
        found: list[tuple[int, str, str]] = [(6, debugger.launch.script.name, palette.DIM)]
        if self.running:
            found += self._run_parts()
            return found
        if view is not None:
            trace, event = view.trace, view.event
            found.append((1, episode_text(trace), palette.TEXT))
            about = document(trace, event)
            if about:
                found.append((5, f"“{about[:24]}{'…' if len(about) > 24 else ''}”", palette.TEXT))
            place = position_text(trace, event)
            if place:
                found.append((4, place, palette.TEXT))
            phase = trace.phase_of(event)
            found.append((0, f"{palette.PHASE_MARKS[phase]} {PHASE_NAMES[phase].upper()}", palette.PHASE_COLORS[phase]))
            more = "" if trace.complete else "…"
            found.append((0, f"{event + 1:,} / {len(trace):,}{more}", palette.TEXT))
            loss = trace.loss()
            if loss is not None:
                found.append((3, f"loss {loss:.4f}", palette.TEXT))
        if debugger.memory:
            found.append((7, debugger.memory, palette.DIM))
        why, color = reason(debugger)
        if why:
            found.append((2, why, color))
        return found

    def _run_parts(self) -> list[tuple[int, str, str]]:
        history = self.debugger.history
        found: list[tuple[int, str, str]] = [(0, "RUNNING", palette.GOOD)]
        if self.debugger.travel.running:
            return [(0, self.debugger.travel.progress, palette.ACCENT), (4, "space stays here", palette.DIM)]
        if (at := self.debugger.script.halted_at) is not None:
            site = history.program.site(at) if at >= 0 else None
            place = f" at line {site.line}" if site is not None else ""
            found = [(0, f"paused{place}: reading the record", palette.ACCENT)]
        if history.summaries:
            last = history.summaries[-1]
            total = history.program.total_steps
            if last.kind == "step":
                found.append((1, f"training step {last.number}{f'/{total}' if total else ''}", palette.TEXT))
            elif last.kind == "sample":
                found.append((1, f"sample {last.number}", palette.TEXT))
            steps = history.steps
            if steps and steps[-1].loss is not None:
                found.append((2, f"loss {steps[-1].loss:.4f}", palette.TEXT))
        if self.speed.text:
            found.append((3, self.speed.text, palette.TEXT))
        if self.view is not None:
            found.append((3, f"panes as of {self.debugger.name_of(self.debugger.moment)}", palette.DIM))
        if self.unanswered:
            found.append((0, "no answer to the pause: ! sends SIGINT", palette.BAD))
        else:
            found.append((4, "space pauses", palette.DIM))
        return found

    def render_line(self, y: int) -> Strip:
        base = Style(bgcolor=palette.PANEL)
        width = self.size.width
        parts = self.parts()
        room = width - 1
        kept: list[tuple[int, str, str]] = []
        for part in sorted(parts, key=lambda p: p[0]):
            if cell_len(part[1]) + 3 <= room or not kept:
                kept.append(part)
                room -= cell_len(part[1]) + 3
        parts = [part for part in parts if part in kept]
        segments = [Segment(" ", base)]
        for i, (rank, content, color) in enumerate(parts):
            if i:
                segments.append(Segment(" · ", base + Style(color=palette.FAINT)))
            segments.append(Segment(content, base + Style(color=color, bold=rank == 0)))
        return Strip(segments).adjust_cell_length(width, base)
