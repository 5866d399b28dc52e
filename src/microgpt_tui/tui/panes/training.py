"""Training: the loss curve with a cursor through the run, gradient norms, speed, texts, residual stream, rectifiers."""

from __future__ import annotations

import math
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType

from microgpt_tui.recognise.activations import activations
from microgpt_tui.recognise.residual import stream
from microgpt_tui.recognise.tokens import tokens
from microgpt_tui.recognise.training import Text, norm, running_mean, speed, texts
from microgpt_tui.session.history import Summary
from microgpt_tui.trace.trace import Trace
from microgpt_tui.tui import palette
from microgpt_tui.tui.pane import Line, MomentChosen, Pane, StepChosen, View, empty, text
from microgpt_tui.tui.panes import heat

CHART_HEIGHT = 6
LABEL = 9
"""Columns left of a chart."""


class TrainingPane(Pane):
    """The run as curves, with a cursor that moves through the recorded history of losses, gradients and weights."""

    title = "Training"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "cursor(-1)", "step before", show=False),
        Binding("right", "cursor(1)", "step", show=False),
        Binding("home", "cursor(-1000000)", "first", show=False),
        Binding("end", "cursor(1000000)", "last", show=False),
        Binding("enter", "go", "go to this step"),
        Binding("x", "mean(2)", "longer mean", show=False),
        Binding("X", "mean(-2)", "shorter mean", show=False),
        Binding("z", "now", "back to now"),
    ]
    explanation = """\
# Training

One training step: a document forward through the model (its **loss**: the mean surprise at what really came next),
backward for the gradient of every weight, and a small change of all weights against it. The loss of single steps
jumps, for every document is differently hard; the bright line is the **running mean**. A model that knows nothing
has a loss of log V.

**Gradient norms** say which matrix is being pushed how hard; *update/weight* is the norm of a step's change beside
the norm of the matrix: about 0.001 is healthy. The **residual stream** is the vector that every block adds to: its
norm, how much each block adds, and the cosine to the stage before (1: the block changed little of its direction). A
**rectifier** that is zero at every position so far is *dead* in this step: no gradient goes through it.

Left and right move the cursor over the finished steps; Enter goes to one that is recorded whole.
"""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.step: int | None = None
        """Index among the finished steps; None is the moment's own step."""
        self.window = 32
        self._curve_key: object = None
        self._curve: tuple[list[str], list[str], float, float] = ([], [], 0.0, 1.0)
        self._norms: dict[int, list[tuple[float, float]]] = {}
        """Summary index -> per matrix (gradient norm, update/weight)."""
        self._texts: dict[tuple[int, int], Text] = {}

    def state_key(self) -> object:
        view = self.view
        return (self.step, self.window, len(view.history.summaries) if view is not None else 0)

    # -- lines -------------------------------------------------------------------------------

    def build(self, view: View, width: int) -> list[Line]:
        steps = view.history.steps
        lines = [self._state_line(view, steps, width)]
        if steps:
            lines += self._chart(steps, width, self._at(view, steps))
            lines += self._step_lines(view, steps, width)
        else:
            lines += empty(
                "No training step is finished yet.",
                "Each leaves its loss, gradients and weights here.",
                "> runs one, space runs freely.",
            )[1:]
        lines += self._stream_lines(view, width)
        lines += self._text_lines(view, width)
        if steps:
            lines += self._norm_lines(view, steps, width)
        return lines

    def _at(self, view: View, steps: list[Summary]) -> int:
        """The step that the curve's cursor is on: chosen, or the moment's own (the newest finished one before it)."""
        if self.step is not None:
            return min(self.step, len(steps) - 1)
        before = [i for i, s in enumerate(steps) if s.index <= view.trace.index]
        return before[-1] if before else 0

    def _state_line(self, view: View, steps: list[Summary], width: int) -> Line:
        trace, program = view.trace, view.program
        total = program.total_steps
        done = steps[-1].number if steps else 0
        words = [text(f"{trace.episode_kind} {trace.number or ''}".strip(), palette.ACCENT, bold=True)]
        words.append(text(f" · {done}{f'/{total}' if total else ''} steps done", palette.TEXT))
        rate = speed([s.seconds for s in steps], done, total)
        if rate is not None:
            words.append(text(f" · {_rate(rate.seconds)}", palette.TEXT))
            if rate.left is not None:
                words.append(text(f" · {_duration(rate.left)} left" if rate.left else " · done", palette.DIM))
        losses = [s.loss for s in steps if s.loss is not None]
        if losses:
            words.append(text(f" · loss {losses[-1]:.4f}", palette.TEXT))
        line: Line = []
        used = 0
        for word in words:
            if used + word.cell_length <= width:
                line.append(word)
                used += word.cell_length
        return line

    def _chart(self, steps: list[Summary], width: int, at: int) -> list[Line]:
        room = max(8, width - LABEL - 1)
        key = (len(steps), steps[-1].index, room, self.window)
        if key != self._curve_key:
            losses = [s.loss if s.loss is not None else math.nan for s in steps]
            finite = [v for v in losses if math.isfinite(v)]
            low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
            means = running_mean(losses, self.window)
            self._curve = (
                heat.curve(losses, room, CHART_HEIGHT, low, high), heat.curve(means, room, CHART_HEIGHT, low, high),
                low, high,
            )  # fmt: skip
            self._curve_key = key
        raw, means_drawn, low, high = self._curve
        mark = heat.column_of(at, len(steps), room)
        lines: list[Line] = []
        for y in range(CHART_HEIGHT):
            edge = f"{high:.4g}" if y == 0 else f"{low:.4g}" if y == CHART_HEIGHT - 1 else ""
            row = heat.Row().put(edge.rjust(LABEL - 1) + " ", heat.DIM)
            for x in range(room):
                top, under = means_drawn[y][x], raw[y][x]
                if x == mark and top == " " and under == " ":
                    row.put("│", heat.MARK)
                elif top != " ":
                    row.put(_both(top, under), _MEAN)
                else:
                    row.put(under, _LOSS)
            lines.append(row.done())
        first, last = f"step {steps[0].number}", f"{steps[-1].number}"
        row = heat.Row().put(" " * LABEL).put(first, heat.DIM)
        middle = f"── loss   ━ mean of {self.window} (x X)"
        row.pad(LABEL + max(len(first) + 2, (room - len(middle)) // 2)).put(middle, heat.FAINT)
        row.pad(LABEL + room - len(last)).put(last, heat.DIM)
        lines.append(row.done())
        return lines

    def _step_lines(self, view: View, steps: list[Summary], width: int) -> list[Line]:
        at = self._at(view, steps)
        own = steps[at]
        losses = [s.loss if s.loss is not None else math.nan for s in steps[: at + 1]]
        mean = running_mean(losses, self.window)[-1]
        words = [text(f"▲ step {own.number}", palette.ACCENT, bold=True)]
        words.append(text(f"  loss {own.loss:.6f}" if own.loss is not None else "  no loss", palette.TEXT))
        words.append(text(f"  mean {mean:.4f}  {own.seconds * 1e3:.0f} ms", palette.DIM))
        trace = view.history.traces.get(own.index)
        if trace is not None and len(trace):
            words.append(text("  recorded whole: Enter goes there", palette.DIM))
        elif own.data is not None:
            words.append(text("  weights and gradients kept", palette.DIM))
        return heat.wrapped(words, width)

    def _norm_lines(self, view: View, steps: list[Summary], width: int) -> list[Line]:
        """Per matrix: the gradient's norm at the step, over the run, and how far the step moved it."""
        matrices = view.program.matrices
        if not matrices:
            return []
        at = self._at(view, steps)
        names = min(max(len(m.name) for m in matrices), max(12, width // 3))
        now = self._norms_of(view, steps, at)
        largest = max((g for g, _ in now if math.isfinite(g)), default=0.0) or 1.0
        room = max(6, width - names - 26)
        shown = self._spread(len(steps), min(room // 2, 40))
        series = [self._norms_of(view, steps, i) for i in shown]
        head = heat.Row().put("gradient norm".ljust(names + 2), heat.DIM).put("  |grad|  update/weight ", heat.DIM)
        head.put("now" if room < 16 else "now · over the run", heat.FAINT)
        lines = [head.done()]
        for number, matrix in enumerate(matrices):
            gradient, ratio = now[number]
            name = matrix.name if len(matrix.name) <= names else "…" + matrix.name[-names + 1 :]
            row = heat.Row().put(name.ljust(names + 2)).put(f"{_short(gradient):>8}  {_short(ratio):>10}   ")
            half = room - len(shown) - 1
            row.put(heat.bar(gradient / largest if gradient == gradient else 0.0, max(2, half)), _LOSS)
            if len(shown) > 1:
                row.put(" " + palette.sparkline([s[number][0] for s in series], len(shown)), heat.DIM)
            lines.append(row.done())
        return lines

    def _spread(self, count: int, most: int) -> list[int]:
        return (
            sorted({i * (count - 1) // max(1, most - 1) for i in range(min(count, most))})
            if count > most
            else list(range(count))
        )

    def _norms_of(self, view: View, steps: list[Summary], at: int) -> list[tuple[float, float]]:
        """Per matrix (gradient norm, |update| / |weight|) of a finished step; kept."""
        own = steps[at]
        known = self._norms.get(own.index)
        if known is not None:
            return known
        found = []
        before = steps[at - 1].data if at else None
        trace = view.trace
        change = None
        if own.data is not None and before is not None and len(before) == len(own.data):
            change = own.data[:]
            for i, old in enumerate(before):
                change[i] -= old
        for matrix in view.program.matrices:
            weight = norm(trace, matrix, own.data)
            moved = norm(trace, matrix, change)
            found.append((norm(trace, matrix, own.grad), moved / weight if weight else math.nan))
        self._norms[own.index] = found
        return found

    def _stream_lines(self, view: View, width: int) -> list[Line]:
        """Norm and cosine per block at the moment's position, and rectifiers."""
        found = tokens(view.trace)
        made = [d for d in found.distributions if view.trace.born_at(d.last) <= view.event]
        lines: list[Line] = []
        if made and (below := stream(view.trace, made[-1])) is not None:
            d = made[-1]
            token = f" {found.vocabulary.name(d.token)}" if d.token >= 0 else ""
            lines.append([text(f"residual stream at position {d.position}{token}", palette.DIM)])
            longest = max(s.norm for s in below.stages) or 1.0
            label = max(len(s.label) for s in below.stages)
            for stage in below.stages:
                row = heat.Row().put(f"  {stage.label.ljust(label)}  norm {stage.norm:8.3g} ")
                room = max(0, min(30, width - label - 47))
                row.put(heat.bar(stage.norm / longest, room), _LOSS)
                if stage.added == stage.added:
                    row.put(f" added {stage.added:8.3g}  cos {stage.cosine:+.4f}", heat.DIM)
                lines.append(row.done())
        for a in activations(view.trace, view.event):
            row = heat.Row().put(f"  {a.name}"[: max(10, width - 34)])
            words = ("zero", "dead") if a.rectifies else ("saturated", "always")
            row.put(f"  {words[0]} {a.flat:4.0%}  {words[1]} {a.dead}/{a.units}", heat.DIM)
            lines.append(row.done())
        return lines

    def _text_lines(self, view: View, width: int) -> list[Line]:
        """What the recorded steps trained on, and what was made up."""
        history = view.history
        lines: list[Line] = []
        done = {"step": 0, "sample": 0}
        for summary in history.summaries:
            if summary.kind in done:
                done[summary.kind] += 1
        for kind, title in (("step", "documents"), ("sample", "samples")):
            recorded = [t for t in history.traces.values() if t.episode_kind == kind and len(t.born)]
            if not recorded and not done[kind]:
                continue
            words = [text(f"{title}: {done[kind]} done", palette.DIM), text("  ")]
            for trace in sorted(recorded, key=lambda t: -t.index)[:8]:
                own = self._texts_of(trace)
                if not own.texts:
                    continue
                joined = " ".join(own.texts)
                words.append(text(f"{own.number} ", palette.FAINT))
                words.append(text(f"{joined}  "[: width - 8], palette.TEXT))
            if len(recorded) < done[kind]:
                words.append(text("(texts of recorded episodes only)", palette.FAINT))
            lines += heat.wrapped(words, width)
        return lines

    def _texts_of(self, trace: Trace) -> Text:
        key = (trace.index, trace.version)
        if key not in self._texts:
            self._texts = {k: v for k, v in self._texts.items() if k[0] != trace.index}
            self._texts[key] = texts(trace)
        return self._texts[key]

    # -- actions -----------------------------------------------------------------------------

    def action_cursor(self, by: int) -> None:
        """Along the curve."""
        if self.view is None or not (steps := self.view.history.steps):
            return
        self.step = min(len(steps) - 1, max(0, self._at(self.view, steps) + by))
        self.restate()
        self.post_message(StepChosen(self.step))

    def action_mean(self, factor: int) -> None:
        """A longer or shorter running mean."""
        self.window = min(1024, max(2, self.window * factor if factor > 0 else self.window // -factor))
        self.restate()

    def action_now(self) -> None:
        """The cursor of the curve back to the moment's step."""
        self.step = None
        self.restate()
        self.post_message(StepChosen(None))

    def action_go(self) -> None:
        """Go to the step under the curve's cursor where it is recorded whole."""
        if self.view is None or not (steps := self.view.history.steps):
            return
        own = steps[self._at(self.view, steps)]
        trace = self.view.history.traces.get(own.index)
        if trace is not None and len(trace):
            self.post_message(MomentChosen(0, own.index))
        else:
            self.notify(
                f"Step {own.number} was run freely: its loss, gradients and weights are kept, not its operations."
            )

    def on_click(self, event: events.Click) -> None:
        """A click on the chart moves its cursor."""
        if self.view is None or not (steps := self.view.history.steps):
            return
        y = event.y + self.scroll_offset.y
        room = max(8, self.content_width - LABEL - 1)
        if 1 <= y <= CHART_HEIGHT and event.x >= LABEL:
            self.step = heat.place_at(event.x - LABEL, len(steps), room)
            self.restate()
            self.post_message(StepChosen(self.step))

    # -- explanation -------------------------------------------------------------------------

    def explain(self, view: View | None) -> str:
        if view is None or not (steps := view.history.steps):
            return self.explanation
        own = steps[self._at(view, steps)]
        losses = [s.loss if s.loss is not None else math.nan for s in steps]
        lines = [self.explanation, "## Right now", ""]
        size = tokens(view.trace).size
        if own.loss is not None:
            lines.append(f"    step {own.number}: loss = {own.loss!r}")
            lines.append(f"    e^loss = {math.exp(min(700.0, own.loss)):.4g}: as unsure as among so many equal tokens")
        if size:
            lines.append(f"    log V = log {size} = {math.log(size):.4f}: a model that knows nothing")
        lines.append(
            f"    mean of the last {min(self.window, len(losses))} steps = {running_mean(losses, self.window)[-1]:.6f}"
        )
        return "\n".join(lines) + "\n"


_LOSS = Style(color="#56b4e9")
_MEAN = Style(color=palette.ACCENT, bold=True)


def _both(one: str, two: str) -> str:
    """Two braille characters on top of each other."""
    bits = (ord(one) - 0x2800 if one != " " else 0) | (ord(two) - 0x2800 if two != " " else 0)
    return chr(0x2800 + bits)


def _short(value: float) -> str:
    return "–" if value != value else f"{value:.3g}"


def _rate(seconds: float) -> str:
    return f"{1 / seconds:.1f} steps/s" if seconds < 1 else f"{seconds:.1f} s/step"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
