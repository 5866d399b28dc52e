"""Source: the script, the statement and sub-expression being executed, what each line has made so far."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType

from microgpt_tui.protocol.codes import ACCUMULATE, ASSIGN, CREATE, PRINT, SAMPLE, UPDATE, ZERO, SiteKind
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.trace.navigation import unit_of
from microgpt_tui.trace.trace import Site, Trace
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line
from microgpt_tui.tui.messages import CommandChosen
from microgpt_tui.tui.pane import Pane, View
from microgpt_tui.tui.panes.highlight import Piece, highlighted

BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Marks:
    """What to mark in the source at a moment."""

    statement: Site | None
    """The statement being executed."""
    here: Site | None
    """The sub-expression being executed, or the write of a grad or of data."""
    reached: Site | None
    """In a backward pass: where the forward pass made the node that is reached."""


def marks(trace: Trace, event: int) -> Marks:
    """The places that belong to an event."""
    program = trace.program
    kind, row = trace.kind[event], trace.row[event]
    here: Site | None = None
    reached: Site | None = None
    if kind == CREATE:
        here = trace.site_of(trace.node_of(event))
    elif kind in (ACCUMULATE, ASSIGN, ZERO):
        here = _site(trace, trace.write_site[row])
        if kind != ZERO:
            reached = trace.site_of(trace.target[row])
    elif kind == UPDATE:
        here = _site(trace, trace.update_site[row])
    elif kind == SAMPLE:
        here = _site(trace, trace.sample_site[row])
    elif kind == PRINT:
        here = _site(trace, trace.print_site[row])
    unit = unit_of(trace, event)
    statement = program.site(trace.scope_site[unit]) if unit >= 0 else None
    if statement is not None and statement.kind != SiteKind.STATEMENT:
        statement = None
    if here is not None and here.statement >= 0:
        around = _site(trace, here.statement)
        if around is not None and (around.file, around.line) == (here.file, around.line):
            statement = around
    if statement is None or (here is not None and statement.file != here.file):
        statement = here
    return Marks(statement, here, reached)


def _site(trace: Trace, number: int) -> Site | None:
    return trace.program.sites[number] if 0 <= number < len(trace.program.sites) else None


class Made:
    """How many nodes each site has made up to an event: exact counts every few thousand nodes, the rest counted."""

    def __init__(self) -> None:
        self.blocks: list[Counter[int]] = [Counter()]

    def upto(self, trace: Trace, event: int) -> Counter[int]:
        """Counts by site of the nodes made by events 0..event."""
        count = bisect_right(trace.born, event)
        while len(self.blocks) * BLOCK <= len(trace.site):
            done = len(self.blocks)
            block = self.blocks[-1].copy()
            block.update(trace.site[(done - 1) * BLOCK : done * BLOCK])
            self.blocks.append(block)
        whole = min(count // BLOCK, len(self.blocks) - 1)
        rest: array[int] = trace.site[whole * BLOCK : count]
        found = self.blocks[whole].copy()
        found.update(rest)
        return found


class SourcePane(Pane):
    """The script with the current statement ▶, in a backward pass also the forward place ◀ of the node reached."""

    title = "Source"
    explanation = """
The script as it is. **▶** marks the statement being executed; the exact sub-expression is underlined. In a
backward pass `self.grad += …` itself says little, so **◀** marks the line where the forward pass made the
node whose grad is written. Numbers at the right count the nodes that a line has made in this episode up to
this moment. `●` is a breakpoint. `Up`/`Down` select a line, `Enter` goes to the next operation that it
makes, `o` shows another file of the script.
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "line(-1)", "up", show=False),
        Binding("down", "line(1)", "down", show=False),
        Binding("pageup", "line(-20)", "page up", show=False),
        Binding("pagedown", "line(20)", "page down", show=False),
        Binding("enter", "run_here", "to its next op", show=False),
        Binding("o", "other_file", "other file", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.file = 0
        self.line = 0
        """The selected line, from 1; 0 for none: the current one counts."""
        self.marks = Marks(None, None, None)
        self._shown: object = None
        self._left = 0
        self._counts: dict[int, int] = {}
        self._made: tuple[object, Made] = (None, Made())
        self._breaks: dict[int, str] = {}

    # -- what to show ------------------------------------------------------------------------

    @property
    def current_line(self) -> int:
        """The line that ``b`` and friends are about: the selected one, else the one being executed."""
        if self.line:
            return self.line
        site = self.marks.reached or self.marks.here or self.marks.statement
        return site.line if site is not None else 1

    def show(self, view: View) -> None:
        """Mark another moment's place and keep it in sight."""
        key = (view.trace.index, view.event, view.trace.version)
        moved = key != self._shown
        self.view = view
        self._breaks = break_lines(view.debugger, self.file)
        if moved:
            self._shown = key
            self.marks = marks(view.trace, view.event)
            self.line = 0
            focus = self.marks.reached or self.marks.here or self.marks.statement
            if focus is not None and focus.file != self.file:
                self.file = focus.file
                self._left = 0
            self._breaks = break_lines(view.debugger, self.file)
            self._count(view)
        self.restate()
        if moved:
            self._keep_in_sight()

    def halt(self, site: Site) -> None:
        """The script has stopped at this statement; the moment itself follows when its record is here."""
        self.marks = Marks(site, None, None)
        self.line, self._shown = 0, None
        if site.file != self.file:
            self.file, self._left = site.file, 0
        self.restate()
        self._keep_in_sight()

    def _count(self, view: View) -> None:
        trace = view.trace
        key, made = (trace.index, trace.first_node), self._made[1]
        if self._made[0] != key or len(trace.site) < (len(made.blocks) - 1) * BLOCK:
            self._made = key, Made()
        lines: Counter[int] = Counter()
        for number, count in self._made[1].upto(trace, view.event).items():
            site = trace.program.sites[number] if number >= 0 else None
            if site is not None and site.file == self.file:
                lines[site.line] += count
        self._counts = lines

    def _keep_in_sight(self) -> None:
        site = self.marks.reached or self.marks.here or self.marks.statement
        height = self.scrollable_content_region.height
        if site is None or height <= 0:
            return
        lines = sorted({s.line for s in (self.marks.reached, self.marks.here) if s is not None and s.file == self.file})
        wanted = [site.line - 1]
        if lines and lines[-1] - lines[0] < height - 2:
            wanted = [lines[0] - 1, lines[-1] - 1]
        top = self.scroll_offset.y
        margin = min(2, max(0, (height - 1) // 3))
        if wanted[0] < top + margin or wanted[-1] >= top + height - margin:
            middle = (wanted[0] + wanted[-1]) // 2
            near = top - height // 2 <= wanted[0] and wanted[-1] < top + height + height // 2
            if near and wanted[0] < top + margin:
                target = wanted[0] - margin
            elif near:
                target = wanted[-1] - height + 1 + margin
            else:
                target = middle - height // 2
            self.jump_to(target)
        room = self._room(self.content_width, site.line)
        start, end = site.column, site.end_column if site.end_line == site.line else site.column + 20
        need = min(end - start, 14)
        if not (self._left <= start and start + need <= self._left + room) or (self._left and start + need <= room):
            self._left = 0 if start + need <= room else max(0, start - 6)
            self.refresh()

    def _gutter(self) -> int:
        count = len(highlighted(self._text()))
        return 3 + len(str(count)) + 1

    def _room(self, width: int, number: int) -> int:
        """Columns for the code of a line: what its number and its count leave."""
        made = self._counts.get(number, 0)
        return max(4, width - self._gutter() - (len(f"{made:,}") + 1 if made else 0))

    def _text(self) -> str:
        view = self.view
        files = view.program.files if view is not None else []
        return files[self.file][1] if self.file < len(files) else ""

    def on_resize(self) -> None:
        """The current place stays in sight."""
        super().on_resize()
        if self.view is not None:
            self._keep_in_sight()

    # -- drawing -----------------------------------------------------------------------------

    def line_count(self, view: View, width: int) -> int:
        """Lines of the file."""
        return len(highlighted(self._text()))

    def line_at(self, view: View, width: int, index: int) -> Line:
        """Gutter, code, count."""
        number = index + 1
        pieces = highlighted(self._text())[index]
        m = self.marks
        now, reached = self._is_at(m.here, number, first=True), self._is_at(m.reached, number, first=True)
        inside = self._is_at(m.statement, number) or self._is_at(m.here, number)
        chosen = number == self.line
        back = palette.HIGHLIGHT if chosen else palette.INSIDE if inside or self._is_at(m.reached, number) else None
        base = Style(bgcolor=back, reverse=chosen and palette.NO_COLOR)
        mark = "▶" if now or (self._is_at(m.statement, number, first=True) and m.here is None) else " "
        stop = self._breaks.get(number, " ")
        width_number = self._gutter() - 4
        line = [
            Segment(stop, base + Style(color=palette.BAD, bold=True)),
            Segment(mark, base + Style(color=palette.ACCENT, bold=True)),
            Segment("◀" if reached else " ", base + Style(color=palette.PHASE_COLORS[2], bold=True)),
            Segment(
                f"{number:>{width_number}} ",
                base + Style(color=palette.ACCENT if now or reached else palette.FAINT, bold=now or reached),
            ),
        ]
        room = self._room(width, number)
        code = self._code(pieces, number, room, base)
        line += code
        used = sum(cell_len(s.text) for s in code)
        made = self._counts.get(number, 0)
        line.append(Segment(" " * (room - used) + (f" {made:,}" if made else ""), base + Style(color=palette.DIM)))
        return line

    def row(self, view: View, width: int, y: int, count: int) -> Line:
        """As scrolled; the write of a grad stays at the top or bottom when the forward place is far from it."""
        here, reached = self.marks.here, self.marks.reached
        height = self.scrollable_content_region.height
        if here is not None and reached is not None and here.file == self.file and height > 4:
            top = self.scroll_offset.y
            line = here.line - 1
            pinned = 0 if line < top else height - 1 if line >= top + height else -1
            if y == pinned:
                return [_pinned(segment) for segment in self.line_at(view, width, line)]
        return super().row(view, width, y, count)

    def _is_at(self, site: Site | None, number: int, *, first: bool = False) -> bool:
        if site is None or site.file != self.file:
            return False
        return number == site.line if first else site.line <= number <= site.end_line

    def _code(self, pieces: list[Piece], number: int, room: int, base: Style) -> Line:
        spans = [
            (s, style)
            for s, style in (
                (
                    self.marks.reached,
                    Style(color=palette.BRIGHT, bgcolor=palette.REACHED, bold=True, underline=palette.NO_COLOR),
                ),
                (
                    self.marks.here,
                    Style(color=palette.BRIGHT, bgcolor=palette.HERE, bold=True, underline=palette.NO_COLOR),
                ),
            )
            if self._is_at(s, number) and s is not None
        ]
        line: Line = []
        column = 0
        left, right = self._left, self._left + room
        total = sum(len(t) for t, _ in pieces)
        cuts = sorted({c for s, _ in spans for c in _columns(s, number, total)})
        for content, style in pieces:
            at = 0
            while at < len(content):
                end = min([len(content)] + [c - column for c in cuts if at < c - column < len(content)])
                begin_column, end_column = column + at, column + end
                part = content[max(at, left - column) : max(0, min(end, right - column))]
                if part:
                    marked = base + style
                    for s, extra in spans:
                        low, high = _columns(s, number, total)
                        if low <= begin_column and end_column <= high:
                            marked = marked + extra
                    line.append(Segment(part.replace("\t", " "), marked))
                at = end
            column += len(content)
        if total > right and line:
            last = line[-1]
            line[-1] = Segment(last.text[:-1] + "…", (last.style or Style()) + Style(color=palette.DIM))
        if left and line and any(t.strip() for t in _before(pieces, left)):
            line[0] = Segment("…" + line[0].text[1:], (line[0].style or Style()) + Style(color=palette.DIM))
        return line

    # -- choosing a line ---------------------------------------------------------------------

    def action_line(self, by: int) -> None:
        """Select a line."""
        view = self.view
        if view is None:
            return
        count = self.line_count(view, self.content_width)
        self.select(max(1, min(count, self.current_line + by)))

    def select(self, number: int) -> None:
        """Select this line and keep it in sight."""
        self.line = number
        self.reveal(number - 1)
        self.refresh()

    def action_run_here(self) -> None:
        """Go to the next operation that the selected line makes."""
        self.post_message(CommandChosen(f"goto line {self.current_line}"))

    def action_other_file(self) -> None:
        """Show the next file of the script."""
        view = self.view
        if view is not None and len(view.program.files) > 1:
            self.file = (self.file + 1) % len(view.program.files)
            self._left = 0
            self._count(view)
            self._breaks = break_lines(view.debugger, self.file)
            self.jump_to(0)
            self.restate()

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        view = self.view
        if offset is None or view is None:
            return
        number = offset.y + self.scroll_offset.y + 1
        if number <= self.line_count(view, self.content_width):
            if offset.x < 2:
                self.post_message(CommandChosen(f"break {number}"))
            else:
                self.select(number)


def _pinned(segment: Segment) -> Segment:
    """Told from its neighbours: it stands where another line would be."""
    style = segment.style or Style()
    return Segment(segment.text, Style(bgcolor=palette.PINNED) + style if style.bgcolor is None else style)


def _before(pieces: list[Piece], column: int) -> list[str]:
    """The text of a line up to and with a column."""
    found, at = [], 0
    for content, _ in pieces:
        found.append(content[: max(0, column + 1 - at)])
        at += len(content)
    return found


def _columns(site: Site, number: int, total: int) -> tuple[int, int]:
    """The columns of a line that a site covers."""
    start = site.column if number == site.line else 0
    end = site.end_column if number == site.end_line else total
    return start, end


def break_lines(debugger: Debugger, file: int) -> dict[int, str]:
    """Line -> mark of its breakpoint: ``●`` armed, ``○`` not."""
    found: dict[int, str] = {}
    for item in debugger.breakpoints:
        if item.line and item.file == file:
            found[item.line] = "●" if item.enabled else "○"
    return found
