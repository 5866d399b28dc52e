"""Weights: every parameter matrix as a heatmap, its layers, its numbers, and one cell's life through training."""

from __future__ import annotations

import math
from functools import partial
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType

from microgpt_tui.recognise.tokens import tokens
from microgpt_tui.recognise.weights import Statistics, meaning, parameters, places, statistics
from microgpt_tui.trace.trace import Matrix
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, Row, clip, empty, signed, text, wrapped
from microgpt_tui.tui.messages import NodeChosen
from microgpt_tui.tui.numbers import short
from microgpt_tui.tui.pane import Late, Pane, View
from microgpt_tui.tui.panes import cells, charts
from microgpt_tui.tui.panes.weights_layer import Layer, layer_at, layer_names

CHART_HEIGHT = 3


class WeightsPane(Pane):
    """One matrix at a time; layers: data, grad, the optimizer's buffers, change since a step, update/weight."""

    title = "Weights"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "matrix(1)", "matrix"),
        Binding("X", "matrix(-1)", "matrix before", show=False),
        Binding("m", "layer(1)", "data/grad/…"),
        Binding("M", "layer(-1)", "layer back", show=False),
        Binding("up", "move(-1,0)", "row up", show=False),
        Binding("down", "move(1,0)", "row down", show=False),
        Binding("left", "move(0,-1)", "column left", show=False),
        Binding("right", "move(0,1)", "column right", show=False),
        Binding("d", "look(-1)", "earlier step"),
        Binding("D", "look(1)", "later step", show=False),
        Binding("r", "reference", "change since here"),
        Binding("enter", "go", "go there"),
        Binding("z", "now", "back to now"),
    ]
    explanation = """\
# Weights

What the model has learned is in its matrices, one number per cell. Orange is positive, blue negative, brighter is
larger; the sign is written in the cell. Rows and columns are named after what they do, told from how the forward
pass reads them.

Layers (`m`): **data**, the weights; **grad**, d(loss)/d(weight), filled in by the backward pass; the optimizer's
running means, where the script keeps some (Adam: m of the gradient, v of its square); **change** of the weights
since a step (`r` sets it; at first the start of this episode); **update/weight**, how large this step's change is
beside the weight: around 0.001 training goes its way, much above it is a leap, much below it stands still.

`d` and `D` look at the weights as they were after any earlier step; `z` is back at the cursor.
"""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.matrix = 0
        self.at_layer = 0
        self.cell: tuple[int, int] = (0, 0)
        self.step: int | None = None
        """Index among the finished training steps that is looked at; None is the cursor's moment."""
        self.since: int | None = None
        """The step that ``change`` counts from; None is the start of the episode."""
        self._top = 0
        """Lines above the heatmap."""

    def state_key(self) -> object:
        return (self.matrix, self.at_layer, self.cell, self.step, self.since)

    # -- the numbers -------------------------------------------------------------------------

    def _chosen(self, view: View) -> Matrix | None:
        matrices = view.program.matrices
        if not matrices:
            return None
        self.matrix = min(self.matrix, len(matrices) - 1)
        return matrices[self.matrix]

    def layer_of(self, view: View) -> Layer:
        """The chosen layer of the chosen matrix at the moment, or after the step that is looked at."""
        return layer_at(view, self.matrix, self.at_layer, step=self.step, since=self.since)

    # -- lines -------------------------------------------------------------------------------

    def build(self, view: View, width: int) -> list[Line | Late]:
        matrix = self._chosen(view)
        if matrix is None:
            return [*self._nothing()]
        known = len(view.history.steps)
        if max(self.step or 0, self.since or 0) >= known:  # of a run that was longer: restarted, or another branch
            self.step = self.since = None
        layer = self.layer_of(view)
        found = self.kept(layer.key, lambda: statistics(layer.whole()))
        head = self._heading(view, matrix, layer, found, width)
        self._top = len(head)
        draw = partial(self._heat_line, view, matrix, layer, _scale(found), width)
        return [*head, *(partial(draw, row) for row in range(_rows(matrix)))]

    def _nothing(self) -> list[Line]:
        return empty(
            "No parameters were found.",
            "Looked for: (lists of lists of) nodes of the autograd class that the",
            "script's names lead to when the first training step begins.",
            "Before that there are none.",
        )

    def _window(self, view: View, matrix: Matrix, width: int) -> tuple[int, int, int, int]:
        """(label columns, columns per cell, first column shown, columns shown)."""
        columns = _columns(matrix)
        named = 2 if self._row_name(view, matrix, 0) else 0
        label = max(4, len(str(_rows(matrix) - 1)) + named + 2)
        room = width - label
        size = 2 if columns * 2 <= room else 1
        shown = max(1, min(columns, room // size))
        first = max(0, min(columns - shown, self.cell[1] - shown // 2))
        return label, size, first, shown

    def _heading(self, view: View, matrix: Matrix, layer: Layer, found: Statistics, width: int) -> list[Line]:
        about = meaning(view.trace, self.matrix)
        shape = "×".join(map(str, matrix.shape))
        count = len(view.program.matrices)
        names = " ".join(f"[{n}]" if n == layer.name else n for n in layer_names(view))
        lines: list[Line] = []
        title = [
            text(matrix.name, palette.ACCENT, bold=True),
            text(f"  {shape} · m: {self.matrix + 1}/{count}", palette.DIM),
        ]
        if about.role:
            title.append(text(f" · {about.role}", palette.TEXT))
        title.append(text(f"  {self._when(view)}", palette.ACCENT if self.step is not None else palette.DIM))
        lines += wrapped(title, width)
        lines += wrapped([text(f"l: {names}  ", palette.DIM), *cells.signed_legend(_scale(found))], width)
        lines.append(self._numbers(found, width))
        lines += self._cell_lines(view, matrix, layer, width)
        label, size, first, shown = self._window(view, matrix, width)
        columns = _columns(matrix)
        row = Row().put(clip("↓" + about.row, label - 1).ljust(label), palette.FAINT)
        step = 8 if size == 1 else 4
        ruler = "".join(str(c).ljust(step * size) for c in range(first, first + shown, step))[: shown * size]
        row.put(ruler, palette.FAINT)
        note = f" {about.column} →" if about.column else " →"
        if shown < columns:
            note += f" {first}–{first + shown - 1} of {columns}"
        if row.width + len(note) <= width:
            row.put(note, palette.FAINT)
        lines.append(row.done())
        return lines

    def _when(self, view: View) -> str:
        if self.step is None:
            return "at the cursor"
        summary = view.history.steps[self.step]
        return f"as after step {summary.number} (d D; z: now)"

    def _numbers(self, found: Statistics, width: int) -> Line:
        if math.isnan(found.low) and not found.odd:
            return [text("not known here: the script keeps none, or it was not kept for that step", palette.DIM)]
        about = "≈ " if found.stride > 1 else ""
        row = Row().put(f"{about}min {short(found.low)}  max {short(found.high)}  ")
        row.put(f"mean {short(found.mean)}  norm {found.norm:.4g}  ")
        if found.odd:
            row.put(f"{found.odd} nan/inf  ", palette.style(palette.BAD, True))
        bars = charts.column_bars(found.histogram)
        if row.width + len(bars) <= width:
            row.put(bars, palette.DIM)
        return row.done()

    def _cell_lines(self, view: View, matrix: Matrix, layer: Layer, width: int) -> list[Line]:
        """The selected cell: its numbers now and its value over training."""
        index = self._index(matrix)
        about = meaning(view.trace, self.matrix)
        place = places(view.trace, matrix)[index]
        row, column = self.cell
        name = f"[{row}][{column}]" if len(matrix.shape) > 1 else f"[{column}]"
        label = self._row_name(view, matrix, row)
        words = [text(name, palette.ACCENT, bold=True)]
        if about.row == "token" and label:
            words.append(text(f" {label}", palette.ACCENT))
        words.append(text("  ", palette.DIM))
        if self.step is None:
            own = parameters(view.trace)
            for title, timeline in (("data", own.data), ("grad", own.grad), *own.buffers.items()):
                value = timeline.at(view.event)[place]
                words += [text(f"{title.rsplit('.', 1)[-1]} ", palette.DIM), signed(short(value), value), text("  ")]
        if layer.name in ("change", "update/weight") or self.step is not None:
            words += [
                text(f"{layer.name} ", palette.DIM),
                signed(short(layer.value(index)), layer.value(index)),
                text("  "),
            ]
        words.append(text(f"node {matrix.nodes[index]} (Enter)", palette.FAINT))
        lines = wrapped(words, width)
        lines += self._life(view, place, layer.name, width)
        return lines

    def _life(self, view: View, place: int, name: str, width: int) -> list[Line]:
        """The cell's data (or gradient) after every finished step, as a curve."""
        steps = view.history.steps
        columns = [s.grad if name == "grad" else s.data for s in steps]
        values = [c[place] for c in columns if c is not None and place < len(c)]
        if len(values) < 2:
            return [[text(f"history of this cell: {len(values)} finished steps so far", palette.FAINT)]]
        low, high = min(values), max(values)
        room = width - 11
        rows = charts.curve(values, room, CHART_HEIGHT, low, high)
        lines: list[Line] = []
        mark = None
        if self.step is not None:
            mark = charts.column_of(self.step, len(values), room)
        for y, dots in enumerate(rows):
            edge = short(high) if y == 0 else short(low) if y == CHART_HEIGHT - 1 else ""
            row = Row().put(edge.rjust(10) + " ", palette.DIM)
            if mark is None:
                row.put(dots, palette.DATA)
            else:
                row.put(dots[:mark], palette.DATA).put("│" if dots[mark] == " " else dots[mark], palette.MARK)
                row.put(dots[mark + 1 :], palette.DATA)
            lines.append(row.done())
        return lines

    def _row_name(self, view: View, matrix: Matrix, row: int) -> str:
        if meaning(view.trace, self.matrix).row == "token":
            return tokens(view.trace).vocabulary.cell(row)
        return ""

    def _heat_line(self, view: View, matrix: Matrix, layer: Layer, scale: float, width: int, row_number: int) -> Line:
        label, size, first, shown = self._window(view, matrix, width)
        name = self._row_name(view, matrix, row_number)
        here = row_number == self.cell[0]
        row = Row()
        body = f"{row_number} {name}" if name else str(row_number)
        row.put(("▶" if here else " ") + body.rjust(label - 2) + " ", palette.MARK if here else palette.DIM)
        begin = row_number * _columns(matrix)
        line = cells.signed_cells_of(layer.part(begin + first, begin + first + shown), scale, size)
        if here and first <= self.cell[1] < first + shown:
            at = self.cell[1] - first
            line[at] = Segment(*cells.signed(layer.value(begin + self.cell[1]), scale, size, True))
        return row.cells(line, shown * size).done()

    def _index(self, matrix: Matrix) -> int:
        self.cell = (min(self.cell[0], _rows(matrix) - 1), min(self.cell[1], _columns(matrix) - 1))
        return self.cell[0] * _columns(matrix) + self.cell[1]

    # -- actions -----------------------------------------------------------------------------

    def action_matrix(self, by: int) -> None:
        """The next matrix."""
        if self.view is not None and (count := len(self.view.program.matrices)):
            self.matrix = (self.matrix + by) % count
            self._index(self.view.program.matrices[self.matrix])
            self.scroll_to(y=0, animate=False)
            self.restate()

    def action_layer(self, by: int) -> None:
        """Data, gradient, buffers, change, ratio."""
        if self.view is not None:
            self.at_layer = (self.at_layer + by) % len(layer_names(self.view))
            self.restate()

    def action_move(self, down: int, right: int) -> None:
        """Another cell; the heatmap scrolls along."""
        matrix = self._chosen(self.view) if self.view is not None else None
        if matrix is None or self.view is None:
            return
        row = min(_rows(matrix) - 1, max(0, self.cell[0] + down))
        column = min(_columns(matrix) - 1, max(0, self.cell[1] + right))
        self.cell = (row, column)
        self.restate()
        self.reveal(self._top + row if row else 0)

    def action_look(self, by: int) -> None:
        """The weights after an earlier or later step."""
        if self.view is None:
            return
        count = len(self.view.history.steps)
        if not count:
            return
        at = count if self.step is None else self.step
        self.step = min(count - 1, max(0, at + by))
        self.restate()

    def look_at(self, step: int | None) -> None:
        """Show the weights after a finished step (index among them); None is the cursor."""
        self.step = step
        self.restate()

    def action_reference(self) -> None:
        """Count ``change`` from the step that is looked at (or the last one)."""
        if self.view is not None and (count := len(self.view.history.steps)):
            self.since = self.step if self.step is not None else count - 1
            self.at_layer = layer_names(self.view).index("change")
            self.restate()

    def action_now(self) -> None:
        """Back to the cursor's moment."""
        self.step = self.since = None
        self.restate()

    def action_go(self) -> None:
        """Select the cell's node."""
        if self.view is not None and (matrix := self._chosen(self.view)) is not None:
            self.post_message(NodeChosen(matrix.nodes[self._index(matrix)], follow=True))

    def on_click(self, event: events.Click) -> None:
        """A click selects a cell."""
        if self.view is None or (matrix := self._chosen(self.view)) is None:
            return
        row = event.y + self.scroll_offset.y - self._top
        label, size, first, shown = self._window(self.view, matrix, self.content_width)
        column = (event.x - label) // size
        if 0 <= row < _rows(matrix) and 0 <= column < shown:
            self.cell = (row, first + column)
            self.restate()

    # -- explanation -------------------------------------------------------------------------

    def explain(self, view: View | None) -> str:
        if view is None or (matrix := self._chosen(view)) is None or self.step is not None:
            return self.explanation
        place = places(view.trace, matrix)[self._index(matrix)]
        own = parameters(view.trace)
        start, data = own.data.at(-1)[place], own.data.at(view.event)[place]  # left where the heatmap reads it
        lines = [self.explanation, "## Right now", "", f"{matrix.name}[{self.cell[0]}][{self.cell[1]}]:", ""]
        lines.append(f"    data   = {data!r}")
        lines.append(f"    grad   = {own.grad.at(view.event)[place]!r}")
        lines += [f"    {name:6} = {t.at(view.event)[place]!r}" for name, t in own.buffers.items()]
        if data != start:
            lines.append(f"    update = {data - start!r} in this step, {abs((data - start) / start):.3g} of the weight")
        return "\n".join(lines) + "\n"


def _scale(found: Statistics) -> float:
    """The largest magnitude of a layer; 0 where nothing is known."""
    values = [abs(v) for v in (found.low, found.high) if math.isfinite(v)]
    return max(values, default=0.0)


def _columns(matrix: Matrix) -> int:
    last = matrix.shape[-1] if matrix.shape else 1
    return last if last > 0 else len(matrix.nodes)


def _rows(matrix: Matrix) -> int:
    return -(-len(matrix.nodes) // max(1, _columns(matrix)))
