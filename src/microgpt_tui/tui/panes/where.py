"""Where: the place in the running program, as a breadcrumb and as a tree of calls and loop iterations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from rich.cells import cell_len

from microgpt_tui.trace.blocks import block_path, blocks, breadcrumb
from microgpt_tui.trace.names import place_text
from microgpt_tui.trace.navigation import block_of
from microgpt_tui.trace.trace import Trace
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, clip, text
from microgpt_tui.tui.pane import Late, View
from microgpt_tui.tui.panes.listing import ListingPane, Target

SIBLINGS = 400
"""Blocks beside the innermost one that are listed at most; what is left out is said."""


LOW = 3
"""Rows of a pane in which the breadcrumb takes one line only."""


@dataclass(frozen=True, slots=True)
class _Row:
    scope: int
    depth: int
    on_path: bool
    last: bool


class WherePane(ListingPane):
    """The path to the current operation; the blocks beside it; how far each has come."""

    title = "Where"
    explanation = """
The calls and loop iterations around the current operation, outermost first, with the number of events in each
and how far this one has come (`op k of n`); below the innermost, the blocks beside it. In a backward pass
the breadcrumb also says **of** which forward place the grad is being written. `Enter` goes to a block's
start; `f` and `F` go to the end and start of the innermost.
"""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._current = 0
        self._crumbs = 1
        """Lines of the breadcrumb: they stay at the top."""
        self._moment: object = None

    def show(self, view: View) -> None:
        """Show another place, the innermost block in sight."""
        moment = (view.trace.index, view.event, view.trace.version)
        super().show(view)
        if moment != self._moment:
            self._moment = moment
            self.selected = -1
            self.reveal(min(self._current + 1, max(0, len(self._lines) - 1)))
            self.reveal(self._current)

    def state_key(self) -> object:
        """How much room the breadcrumb has."""
        return self.size.height <= LOW

    def on_resize(self) -> None:
        """The innermost block stays in sight."""
        super().on_resize()
        if self.view is not None:
            self.reveal(self._current)

    def reveal(self, line: int, margin: int = 0) -> None:
        """Scroll as little as shows a line below the breadcrumb."""
        if 0 <= line < self.scroll_offset.y + self._crumbs:
            self.jump_to(line - self._crumbs)
        else:
            super().reveal(line, margin)

    def row(self, view: View, width: int, y: int, count: int) -> Line:
        """The breadcrumb stays while the tree scrolls below it."""
        return self.line_at(view, width, y) if y < self._crumbs else super().row(view, width, y, count)

    def default_line(self) -> int:
        """The innermost block."""
        return self._current if self._current in self.targets else super().default_line()

    def build(self, view: View, width: int) -> list[Line | Late]:
        """Breadcrumb, then the tree."""
        trace, event = view.trace, view.event
        self.targets = {}
        lines: list[Line | Late] = list(_crumbs(breadcrumb(trace, event), width, 1 if self.size.height <= LOW else 2))
        path = block_path(trace, event)
        self._current, self._crumbs = 0, len(lines)
        for depth, scope in enumerate(path[:-1]):
            self._add(lines, trace, event, _Row(scope, depth, True, True), width)
        if path:
            inner, depth = path[-1], len(path) - 1
            tree = blocks(trace)
            beside = tree.inner.get(tree.parent.get(inner, -1), [inner])
            at = beside.index(inner) if inner in beside else 0
            low, high = max(0, at - SIBLINGS // 2), at + SIBLINGS // 2
            if low:
                lines.append([text(f"{'  ' * depth}… {low:,} before", palette.FAINT)])
            for scope in beside[low:high]:
                if trace.scope_first[scope] >= len(trace) or trace.scope_end(scope) < trace.scope_first[scope]:
                    continue
                if scope == inner:
                    self._current = len(lines)
                self._add(lines, trace, event, _Row(scope, depth, scope == inner, scope == beside[-1]), width)
                if scope == inner:
                    self._inside(lines, trace, event, inner, depth + 1, width)
            if high < len(beside):
                lines.append([text(f"{'  ' * depth}… {len(beside) - high:,} more", palette.FAINT)])
        return lines

    def _inside(self, lines: list[Line | Late], trace: Trace, event: int, scope: int, depth: int, width: int) -> None:
        """What the innermost block has called so far and will call."""
        inner = [s for s in blocks(trace).inner.get(scope, ()) if trace.scope_end(s) >= trace.scope_first[s]]
        for one in inner[:SIBLINGS]:
            self._add(lines, trace, event, _Row(one, depth, False, one == inner[-1]), width)

    def _add(self, lines: list[Line | Late], trace: Trace, event: int, row: _Row, width: int) -> None:
        self.targets[len(lines)] = Target(event=trace.scope_first[row.scope], episode=trace.index)
        lines.append(partial(self._line, trace, event, row, width))

    def _line(self, trace: Trace, event: int, row: _Row, width: int) -> Line:
        scope = row.scope
        first, last = trace.scope_first[scope], trace.scope_end(scope)
        count = last - first + 1
        label = trace.scope_label(scope)
        inner = row.on_path and block_of(trace, event) == scope
        right = f"op {event - first + 1:,} of {count:,}" if inner else f"{count:,}"
        if trace.scope_last[scope] < 0 and not trace.complete:
            right += "…"
        mark = "▶ " if inner else "▾ " if row.on_path else "· "
        indent = "  " * min(row.depth, max(0, (width - 24) // 2))
        room = max(4, width - cell_len(indent) - 2 - len(right) - 1)
        color = palette.ACCENT if inner else palette.TEXT if row.on_path else palette.DIM
        if first > event:
            color = palette.FAINT
        return [
            text(indent + mark, palette.ACCENT if inner else palette.DIM),
            text(clip(label, room).ljust(room), color, bold=inner),
            text(" " + right, palette.DIM if first <= event <= last else palette.FAINT),
        ]

    def explain(self, view: View | None) -> str:
        """The explanation, with the place of this moment."""
        if view is None or view.event < 0:
            return self.explanation
        where = place_text(view.trace, view.event)
        return self.explanation + (f"\nNow: **{where}**.\n" if where else "")


def _crumbs(crumb: str, width: int, most: int) -> list[Line]:
    """The breadcrumb in at most so many lines; the middle goes first."""
    parts = crumb.replace("  of  ", " › \x00of ").split(" › ")
    lines: list[list[str]] = [[]]
    used = 0
    for part in parts:
        size = cell_len(part.lstrip("\x00")) + 3
        if used and used + size > width and len(lines) < most:
            lines.append([])
            used = 0
        lines[-1].append(part)
        used += size
    shown: list[Line] = []
    for i, row in enumerate(lines):
        while len(row) > 1 and cell_len(" › ".join(row)) + (2 if i else 0) > width:
            del row[len(row) // 2]
            if len(row) > 1:
                row[len(row) // 2] = "…"
        line: Line = [text("› " if i else "", palette.FAINT)]
        for j, part in enumerate(row):
            if j:
                line.append(text(" › ", palette.FAINT))
            of = part.startswith("\x00")
            line.append(text(part.lstrip("\x00"), palette.PHASE_COLORS[2] if of else palette.DIM, bold=of))
        shown.append(line)
    return shown
