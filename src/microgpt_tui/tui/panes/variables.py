"""Variables: what the running code can see, each with its shape and a strip of coloured cells."""

from __future__ import annotations

import math
from functools import partial
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType

from microgpt_tui.protocol.codes import BACKWARD, OPTIMIZER, BindKind
from microgpt_tui.session.displays import displayed
from microgpt_tui.trace.names import name as node_name
from microgpt_tui.trace.trace import Trace
from microgpt_tui.trace.variables import Variable, in_scope
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, clip, empty, signed, text
from microgpt_tui.tui.messages import NodeChosen
from microgpt_tui.tui.numbers import written
from microgpt_tui.tui.pane import Late, View
from microgpt_tui.tui.panes import cells
from microgpt_tui.tui.panes.listing import ListingPane, Target

LONGEST = 4096
"""Cells that an opened variable shows at most; what is left out is said."""


class VariablesPane(ListingPane):
    """Variables in scope, innermost call first. Enter opens one; on a value it selects its node."""

    title = "Variables"
    explanation = """
What the code at the cursor can see: the running call's variables first, then its callers', then the
module's. A list is a strip of cells: **+** orange and **-** blue, brighter means larger in magnitude
(within that list). In a backward pass a second strip shows the grads *so far*. `Enter` opens a variable
into its values and follows a value to its Value pane; `v` shows numbers in full.
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "open"),
        Binding("v", "full", "full numbers", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.opened: set[str] = set()
        self.full = False
        self._shape_width = 5
        self._cells: dict[int, list[tuple[int, int, int]]] = {}
        """Line -> (first column, one past the last, node)."""

    def state_key(self) -> object:
        """The opened variables and how numbers are written."""
        return frozenset(self.opened), self.full

    def action_full(self) -> None:
        """Numbers in full, or short."""
        self.full = not self.full
        self.restate()

    # -- lines -------------------------------------------------------------------------------

    def build(self, view: View, width: int) -> list[Line | Late]:
        """A line per variable, more for its grads and for an opened one."""
        self.targets, self._cells = {}, {}
        found = in_scope(view.trace, view.event)
        lines: list[Line | Late] = []
        for display in displayed(view.debugger.displays, view.debugger.history, view.debugger.moment):
            lines.append([text("▸ ", palette.GOOD), text(display.line)])
        if not found and not lines:
            return [*empty("no variables yet", "what the script assigns shows up here")]
        backward = view.trace.phase_of(view.event) in (BACKWARD, OPTIMIZER)
        frame: int | None = None
        label_width = min(16, max((len(v.name) for v in found if v.scope >= 0), default=6))
        self._shape_width = min(12, max((len(_shape(v)) for v in found if v.scope >= 0 and v.shape), default=5))
        for variable in found:
            if variable.scope != frame:
                if frame is not None or variable.scope < 0:
                    lines.append([text(_frame_label(view.trace, variable.scope), palette.FAINT)])
                frame = variable.scope
            self._variable(lines, view, variable, label_width, width, backward)
        return lines

    def _variable(
        self, lines: list[Line | Late], view: View, variable: Variable, label_width: int, width: int, backward: bool
    ) -> None:
        here = len(lines)
        opened = variable.name in self.opened
        listed = variable.kind in (BindKind.NODES, BindKind.NUMBERS)
        self.targets[here] = Target(key=variable.name)
        if variable.kind == BindKind.NODE:
            self.targets[here] = Target(node=variable.value, key=variable.name)
        lines.append(partial(self._head, view, variable, here, label_width, width))
        if not listed:
            return
        if opened:
            self._open(lines, view, variable, width)
        elif backward and variable.has_nodes and variable.flat:
            lines.append(partial(self._grads, view, variable, here + 1, label_width, width))

    def _head(self, view: View, variable: Variable, here: int, label_width: int, width: int) -> Line:
        """Name, shape and strip; name and number for a scalar."""
        fresh = variable.event == view.event
        color = palette.ACCENT if fresh else palette.TEXT if variable.scope >= 0 else palette.DIM
        head: Line = [text(clip(variable.name, label_width).ljust(label_width) + " ", color, bold=fresh)]
        if variable.kind not in (BindKind.NODES, BindKind.NUMBERS):
            return head + self._scalar(view, variable, here, label_width + 1)
        shape = _shape(variable).ljust(self._shape_width) + " "
        head.append(text(shape, palette.DIM))
        used = label_width + 1 + len(shape)
        nodes = variable.flat if variable.has_nodes else None
        values = self._values(view, variable, (width - used) // 2 + 1)
        return head + self._strip(here, values, nodes, used, width - used, len(variable.flat))

    def _grads(self, view: View, variable: Variable, here: int, label_width: int, width: int) -> Line:
        used = label_width + 1 + max(self._shape_width, len(_shape(variable))) + 1
        nodes = variable.flat
        trace, event = view.trace, view.event
        grads = [trace.grad_at(n, event) if n >= 0 else math.nan for n in nodes[: (width - used) // 2 + 1]]
        line: Line = [text(" " * (used - 5) + "grad ", palette.PHASE_COLORS[BACKWARD])]
        return line + self._strip(here, grads, nodes, used, width - used, len(nodes))

    def _scalar(self, view: View, variable: Variable, line: int, at: int) -> Line:
        if variable.kind == BindKind.NODE:
            node = variable.value
            value = view.trace.data_at(node, view.event)
            shown = written(value, full=self.full)
            self._cells[line] = [(at, at + len(shown), node)]
            return [signed(shown, value), *self._grad(view, node)]
        if variable.kind == BindKind.NUMBER and isinstance(variable.value, float):
            return [text(repr(variable.value) if self.full else f"{variable.value:.6g}")]
        if variable.kind == BindKind.OTHER or variable.value is None:
            return [text("…", palette.FAINT)]
        return [
            text(clip(repr(variable.value), 60), palette.STRING if variable.kind == BindKind.TEXT else palette.TEXT)
        ]

    def _values(self, view: View, variable: Variable, most: int = LONGEST) -> list[float]:
        flat = variable.flat[:most]
        if not variable.has_nodes:
            return [float(v) if isinstance(v, int | float) else math.nan for v in flat]
        trace, event = view.trace, view.event
        return [trace.data_at(n, event) if n >= 0 else math.nan for n in flat]

    def _strip(self, line: int, values: list[float], nodes: list[int] | None, at: int, room: int, count: int) -> Line:
        if nodes is None and all(v == int(v) for v in values if math.isfinite(v)) and values:
            return [text(clip(" ".join(str(int(v)) if math.isfinite(v) else "?" for v in values), room))]
        finite = [abs(v) for v in values if math.isfinite(v)]
        scale = max(finite, default=0.0)
        fit = min(len(values), room // 2)
        if fit < count:
            fit = max(0, (room - 1 - len(f"+{count:,}")) // 2)
        pieces: Line = []
        places: list[tuple[int, int, int]] = []
        for i, value in enumerate(values[:fit]):
            pieces.append(Segment(*cells.signed(value, scale)))
            if nodes is not None and nodes[i] >= 0:
                places.append((at + 2 * i, at + 2 * i + 2, nodes[i]))
        if fit < count:
            pieces.append(text(f" +{count - fit:,}", palette.FAINT))
        elif room - 2 * fit >= 10 and values:
            pieces.append(text(f"  ±{scale:.3g}", palette.FAINT))
        self._cells[line] = places
        return pieces

    def _open(self, lines: list[Line | Late], view: View, variable: Variable, width: int) -> None:
        """One line per value: its index, its number, its grad."""
        values = self._values(view, variable)
        nodes = variable.flat if variable.has_nodes else None
        scale = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
        for i, value in enumerate(values):
            node = nodes[i] if nodes is not None else -1
            if node >= 0:
                self.targets[len(lines)] = Target(node=node, key=variable.name)
                self._cells[len(lines)] = [(0, width, node)]
            lines.append(partial(self._entry, view, variable, i, value, scale, width))
        left_out = len(variable.flat) - len(values)
        if left_out:
            lines.append([text(f"  … {left_out:,} more", palette.FAINT)])

    def _entry(self, view: View, variable: Variable, i: int, value: float, scale: float, width: int) -> Line:
        index = "".join(f"[{k}]" for k in _unravel(variable.shape, i))
        line: Line = [text(f"  {index:<9}", palette.DIM), Segment(*cells.signed(value, scale))]
        line.append(signed(" " + written(value, 9, full=self.full), value))
        node = variable.flat[i] if variable.has_nodes else -1
        if node >= 0:
            line += self._grad(view, node)
            own = node_name(view.trace, node)
            if own != variable.name + index and width > 46:
                line.append(text("  " + own, palette.FAINT))
        return line

    def _grad(self, view: View, node: int) -> Line:
        """A node's grad so far, where it has got one."""
        grad = view.trace.grad_at(node, view.event)
        return [text("  grad ", palette.DIM), signed(written(grad, full=self.full), grad)] if grad else []

    # -- choosing ----------------------------------------------------------------------------

    def choose(self, target: Target) -> None:
        """Open or close a list; select a node."""
        if target.node >= 0:
            self.post_message(NodeChosen(target.node))
        elif target.key:
            self.opened ^= {target.key}
            self.restate()

    def cursor_moved(self) -> None:
        """A value under the cursor is shown in the Value pane at once."""
        target = self.target()
        if target is not None and target.node >= 0:
            self.post_message(NodeChosen(target.node))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        line = offset.y + self.scroll_offset.y
        for begin, end, node in self._cells.get(line, ()):
            if begin <= offset.x < end:
                self.selected = line
                self.post_message(NodeChosen(node))
                return
        super().on_click(event)


def _shape(variable: Variable) -> str:
    return "[" + "×".join("?" if s < 0 else str(s) for s in variable.shape) + "]"


def _frame_label(trace: Trace, scope: int) -> str:
    return "── before this episode" if scope < 0 else f"── {trace.scope_label(scope)}"


def _unravel(shape: tuple[int, ...], place: int) -> tuple[int, ...]:
    if any(s < 0 for s in shape):
        return (place,)
    found: list[int] = []
    for length in reversed(shape[1:]):
        found.append(place % length if length else 0)
        place = place // length if length else 0
    return (place, *reversed(found)) if shape else ()
