"""Source: the script, the statement and sub-expression being executed, what each line has made so far."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType

from microgpt_tui.protocol.stops import Raised
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.trace.sites import Sites, made_by_line, sites_of
from microgpt_tui.trace.trace import Site
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line
from microgpt_tui.tui.messages import CommandChosen
from microgpt_tui.tui.numbers import short
from microgpt_tui.tui.pane import Pane, View
from microgpt_tui.tui.panes.code import Chunk, chunks, code
from microgpt_tui.tui.panes.highlight import highlighted


class SourcePane(Pane):
    """The script with the current statement ▶, in a backward pass also the forward place ◀ of the node reached."""

    title = "Source"
    explanation = """
The script as it is. **▶** marks the statement being executed, with its exact sub-expression; where it is too long
for the pane it goes on in the next row (↪). In a backward pass `self.grad += …` itself says little, so **◀** marks the
line where the forward pass made the node whose grad is written, and **∇** tells that grad so far. Numbers at the right
count the nodes that a line has made in this episode up to this moment. `●` is a breakpoint, `✕` the line that raised.
`Up`/`Down` select a line, `Enter` goes to the next operation that it makes, `x` shows another file of the script.
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "line(-1)", "up", show=False),
        Binding("down", "line(1)", "down", show=False),
        Binding("pageup", "line(-20)", "page up", show=False),
        Binding("pagedown", "line(20)", "page down", show=False),
        Binding("enter", "run_here", "to its next op", show=False),
        Binding("x", "other_file", "other file", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.file = 0
        self.line = 0
        """The selected line, from 1; 0 for none: the current one counts."""
        self.sites = Sites(None, None, None)
        self._shown: object = None
        self._counts: dict[int, int] = {}
        self._stops: dict[int, str] = {}
        self._wrapped: tuple[object, dict[int, list[Chunk]]] = (None, {})
        """(what they depend on, line -> its chunks, a row each): the marked lines, where they are long."""

    # -- what to show ------------------------------------------------------------------------

    @property
    def current_line(self) -> int:
        """The line that ``b`` and friends are about: the selected one, else the one being executed."""
        if self.line:
            return self.line
        return self.sites.focus.line if self.sites.focus is not None else 1

    def show(self, view: View) -> None:
        """Mark another moment's place and keep it in sight."""
        key = (view.trace.index, view.event, view.trace.version)
        moved = key != self._shown
        self.view = view
        if moved:
            self._shown = key
            self._mark(sites_of(view.trace, view.event))
            self._counts = made_by_line(view.trace, view.event, self.file)
        self._stops = stop_lines(view.debugger, self.file)
        self.restate()
        if moved:
            self._keep_in_sight()

    def halt(self, site: Site) -> None:
        """The script has stopped at this statement; the moment itself follows when its record is here."""
        self._shown = None
        self._mark(Sites(site, None, None))
        self.restate()
        self._keep_in_sight()

    def _mark(self, sites: Sites) -> None:
        self.sites, self.line = sites, 0
        if sites.focus is not None:
            self.file = sites.focus.file

    def _keep_in_sight(self) -> None:
        focus, here = self.sites.focus, self.sites.here
        height = self.scrollable_content_region.height
        if focus is None or height <= 0:
            return
        first, last = self._rows_of(focus.line)
        if here is not None and here.file == self.file:
            both = min(first, self._rows_of(here.line)[0]), max(last, self._rows_of(here.line)[1])
            if both[1] - both[0] < height - 2:
                first, last = both
        top = self.scroll_offset.y
        margin = min(2, max(0, (height - 1) // 3))
        if first < top + margin or last >= top + height - margin:
            near = top - height // 2 <= first and last < top + height + height // 2
            if near and first < top + margin:
                self.jump_to(first - margin)
            elif near:
                self.jump_to(last - height + 1 + margin)
            else:
                self.jump_to((first + last) // 2 - height // 2)

    def _text(self) -> str:
        files = self.view.program.files if self.view is not None else []
        return files[self.file][1] if self.file < len(files) else ""

    def on_resize(self) -> None:
        """The current place stays in sight."""
        super().on_resize()
        if self.view is not None:
            self._keep_in_sight()

    # -- lines and rows ----------------------------------------------------------------------

    def _gutter(self) -> int:
        return 4 + len(str(len(highlighted(self._text()))))

    def _tally(self, number: int) -> str:
        """What stands at the right of a line: the grad reached, how many nodes it has made."""
        view, reached = self.view, self.sites.reached
        made = self._counts.get(number, 0)
        tally = f" {made:,}" if made else ""
        if view is not None and self._is_at(reached, number, first=True):
            tally = f" ∇{short(view.trace.grad_at(view.trace.node_of(view.event), view.event))}{tally}"
        return tally

    def _chunks(self, width: int) -> dict[int, list[Chunk]]:
        key = (self.file, self.sites, width, self.view.version if self.view is not None else None)
        if self._wrapped[0] != key:
            found: dict[int, list[Chunk]] = {}
            lines = highlighted(self._text())
            for site in (self.sites.statement, self.sites.here, self.sites.reached):
                if site is None or site.file != self.file:
                    continue
                for number in range(site.line, min(site.end_line, len(lines)) + 1):
                    content = "".join(piece for piece, _ in lines[number - 1])
                    parts = chunks(content, width - self._gutter() - len(self._tally(number)))
                    if len(parts) > 1:
                        found[number] = parts
            self._wrapped = key, found
        return self._wrapped[1]

    def _rows_of(self, number: int) -> tuple[int, int]:
        """The first and last row of a line."""
        taken = self._chunks(self.content_width)
        first = number - 1 + sum(len(parts) - 1 for line, parts in taken.items() if line < number)
        return first, first + len(taken.get(number, " ")) - 1

    def _line_of(self, row: int, width: int) -> tuple[int, int]:
        """(line, which of its chunks) of a row."""
        for number, parts in sorted(self._chunks(width).items()):
            if row < number - 1:
                break
            if row < number - 1 + len(parts):
                return number, row - number + 1
            row -= len(parts) - 1
        return row + 1, 0

    # -- drawing -----------------------------------------------------------------------------

    def line_count(self, view: View, width: int) -> int:
        """Rows of the file."""
        extra = sum(len(parts) - 1 for parts in self._chunks(width).values())
        return len(highlighted(self._text())) + extra

    def line_at(self, view: View, width: int, index: int) -> Line:
        """Gutter, code, count."""
        number, part = self._line_of(index, width)
        pieces, sites = highlighted(self._text())[number - 1], self.sites
        now, reached = self._is_at(sites.here, number, first=True), self._is_at(sites.reached, number, first=True)
        inside = any(self._is_at(site, number) for site in (sites.statement, sites.here, sites.reached))
        chosen = number == self.line
        back = palette.HIGHLIGHT if chosen else palette.INSIDE if inside else None
        base = Style(bgcolor=back, reverse=chosen and palette.NO_COLOR)
        mark = "▶" if now or (self._is_at(sites.statement, number, first=True) and sites.here is None) else " "
        color = palette.ACCENT if now or reached else palette.FAINT
        gutter = self._gutter()
        line = [
            Segment(self._stops.get(number, " "), base + Style(color=palette.BAD, bold=True)),
            Segment(mark, base + Style(color=palette.ACCENT, bold=True)),
            Segment("◀" if reached else " ", base + Style(color=palette.PHASE_COLORS[2], bold=True)),
            Segment(f"{number:>{gutter - 4}} ", base + Style(color=color, bold=now or reached)),
        ]
        tally = self._tally(number)
        if part:
            line = [Segment(" " * gutter, base)]
        room = width - gutter - len(tally)
        marked = [
            (site, style)
            for site, style in ((sites.reached, palette.REACHED), (sites.here, palette.HERE))
            if site is not None and self._is_at(site, number)
        ]
        parts = self._chunks(width).get(number)
        whole = Chunk(0, sum(len(content) for content, _ in pieces), 0)
        line += code(pieces, number, parts[part] if parts else whole, room, base, marked)
        line.append(Segment(tally if not part else " " * len(tally), base + Style(color=palette.DIM)))
        return line

    def row(self, view: View, width: int, y: int, count: int) -> Line:
        """As scrolled; the write of a grad stays at the top or bottom when the forward place is far from it."""
        here, reached = self.sites.here, self.sites.reached
        height = self.scrollable_content_region.height
        if here is not None and reached is not None and here.file == self.file and height > 4:
            top = self.scroll_offset.y
            row = self._rows_of(here.line)[0]
            pinned = 0 if row < top else height - 1 if row >= top + height else -1
            if y == pinned:
                return [_pinned(segment) for segment in self.line_at(view, width, row)]
        return super().row(view, width, y, count)

    def _is_at(self, site: Site | None, number: int, *, first: bool = False) -> bool:
        if site is None or site.file != self.file:
            return False
        return number == site.line if first else site.line <= number <= site.end_line

    # -- choosing a line ---------------------------------------------------------------------

    def action_line(self, by: int) -> None:
        """Select a line."""
        self.select(max(1, min(len(highlighted(self._text())), self.current_line + by)))

    def select(self, number: int) -> None:
        """Select this line and keep it in sight."""
        self.line = number
        self.reveal(self._rows_of(number)[0])
        self.refresh()

    def look_at(self, file: int, line: int) -> None:
        """Show a line of a file, selected."""
        self.file = file
        self.restate()
        self.select(line)

    def selected_text(self) -> str:
        """The selected line of code, or the one being executed."""
        lines = self._text().splitlines()
        return lines[self.current_line - 1].strip() if 0 < self.current_line <= len(lines) else ""

    def action_run_here(self) -> None:
        """Go to the next operation that the selected line makes."""
        self.post_message(CommandChosen(f"goto line {self.current_line}"))

    def action_other_file(self) -> None:
        """Show the next file of the script."""
        view = self.view
        if view is not None and len(view.program.files) > 1:
            self.file = (self.file + 1) % len(view.program.files)
            self._counts = made_by_line(view.trace, view.event, self.file)
            self._stops = stop_lines(view.debugger, self.file)
            self.jump_to(0)
            self.restate()

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        view = self.view
        if offset is None or view is None:
            return
        row = offset.y + self.scroll_offset.y
        if row < self.line_count(view, self.content_width):
            number = self._line_of(row, self.content_width)[0]
            if offset.x < 2:
                self.post_message(CommandChosen(f"break {number}"))
            else:
                self.select(number)


def _pinned(segment: Segment) -> Segment:
    """Told from its neighbours: it stands where another line would be."""
    style = segment.style or Style()
    return Segment(segment.text, Style(bgcolor=palette.PINNED) + style if style.bgcolor is None else style)


def stop_lines(debugger: Debugger, file: int) -> dict[int, str]:
    """Line -> mark: ``✕`` it raised, ``●`` its breakpoint stops, ``○`` that is off."""
    found = {b.line: "●" if b.enabled else "○" for b in debugger.breakpoints if b.line and b.file == file}
    stop = debugger.history.stop
    if isinstance(stop, Raised) and stop.frames and stop.frames[-1][0] == file:
        found[stop.frames[-1][1]] = "✕"
    return found
