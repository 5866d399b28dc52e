"""Training: the loss curve with a cursor through the run, gradient norms, speed, texts, residual stream, rectifiers."""

from __future__ import annotations

import math
from array import array
from functools import partial
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from microgpt_tui.recognise.activations import activations
from microgpt_tui.recognise.residual import stream
from microgpt_tui.recognise.tokens import tokens
from microgpt_tui.recognise.training import norm, running_mean, speed, texts
from microgpt_tui.session.displays import bars
from microgpt_tui.session.history import Summary
from microgpt_tui.trace.trace import Trace
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, Row, clip_left, empty, text, wrapped
from microgpt_tui.tui.messages import MomentChosen, StepChosen
from microgpt_tui.tui.numbers import duration, plain, rate
from microgpt_tui.tui.pane import Pane, View
from microgpt_tui.tui.panes import charts

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
        Binding("u", "mean(2)", "longer mean", show=False),
        Binding("U", "mean(-2)", "shorter mean", show=False),
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

Left and right move the cursor over the finished steps; Enter goes to one: where it was not kept, it is run again.
Other branches' means are drawn with it, in the colour of the cursor.
"""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.step: int | None = None
        """Index among the finished steps; None is the moment's own step."""
        self.window = 32

    def state_key(self) -> object:
        return self.step, self.window

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
        pace = speed([s.seconds for s in steps], done, total)
        if pace is not None:
            words.append(text(f" · {rate(1 / pace.seconds)}"))
            if pace.left is not None:
                words.append(text(f" · {duration(pace.left)} left" if pace.left else " · done", palette.DIM))
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
        others = self._others()
        count = max(len(steps), *(len(o) for o in others)) if others else len(steps)
        key = ("curve", len(steps), steps[-1].index, room, self.window, tuple(map(len, others)))
        raw, means, rest, low, high = self.kept(key, lambda: self._curves(steps, others, count, room))
        mark = charts.column_of(at, count, room)
        lines: list[Line] = []
        for y in range(CHART_HEIGHT):
            edge = f"{high:.4g}" if y == 0 else f"{low:.4g}" if y == CHART_HEIGHT - 1 else ""
            row = Row().put(edge.rjust(LABEL - 1) + " ", palette.DIM)
            for x in range(room):
                top, under, other = means[y][x], raw[y][x], rest[y][x]
                if x == mark and top == under == other == " ":
                    row.put("│", palette.MARK)
                elif top != " ":
                    row.put(charts.both(charts.both(top, under), other), palette.MARK)
                elif other != " ":
                    row.put(charts.both(under, other), palette.ACCENT)
                else:
                    row.put(under, palette.DATA)
            lines.append(row.done())
        first, last = f"step {steps[0].number}", f"{steps[-1].number}"
        row = Row().put(" " * LABEL).put(first, palette.DIM)
        names = [b.name for b in self.view.debugger.branches if b is not self.view.debugger.branch] if self.view else []
        middle = f"── loss   ━ mean of {self.window} (x X)" + (f"   also {', '.join(names)}" if names else "")
        row.pad(LABEL + max(len(first) + 2, (room - len(middle)) // 2)).put(middle, palette.FAINT)
        row.pad(LABEL + room - len(last)).put(last, palette.DIM)
        lines.append(row.done())
        return lines

    def _others(self) -> list[list[Summary]]:
        """The steps of the runs that are not looked at."""
        if self.view is None:
            return []
        debugger = self.view.debugger
        return [b.history.steps for b in debugger.branches if b is not debugger.branch and b.history.steps]

    def _curves(
        self, steps: list[Summary], others: list[list[Summary]], count: int, room: int
    ) -> tuple[list[str], list[str], list[str], float, float]:
        """The losses, their running mean and those of the other runs as drawn, the lowest and the highest loss."""
        losses = _losses(steps)
        means = [running_mean(_losses(o), self.window) for o in others]
        finite = [v for line in (losses, *means) for v in line if math.isfinite(v)]
        low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)

        def drawn(values: list[float]) -> list[str]:
            padded = [*values, *[math.nan] * (count - len(values))]
            return charts.curve(padded, room, CHART_HEIGHT, low, high)

        rest = [" " * room] * CHART_HEIGHT
        for mean in means:
            rest = ["".join(map(_over, a, b)) for a, b in zip(rest, drawn(mean), strict=True)]
        return drawn(losses), drawn(running_mean(losses, self.window)), rest, low, high

    def _step_lines(self, view: View, steps: list[Summary], width: int) -> list[Line]:
        at = self._at(view, steps)
        own = steps[at]
        mean = running_mean(_losses(steps[: at + 1]), self.window)[-1]
        words = [text(f"▲ step {own.number}", palette.ACCENT, bold=True)]
        words.append(text(f"  loss {own.loss:.6f}" if own.loss is not None else "  no loss", palette.TEXT))
        words.append(text(f"  mean {mean:.4f}  {own.seconds * 1e3:.0f} ms", palette.DIM))
        trace = view.history.traces.get(own.index)
        if trace is not None and len(trace):
            words.append(text("  recorded whole: Enter goes there", palette.DIM))
        elif own.data is not None:
            words.append(text("  weights and gradients kept: Enter runs it again and goes there", palette.DIM))
        return wrapped(words, width)

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
        head = Row().put("gradient norm".ljust(names + 2), palette.DIM).put("  |grad|  update/weight ", palette.DIM)
        head.put("now" if room < 16 else "now · over the run", palette.FAINT)
        lines = [head.done()]
        for number, matrix in enumerate(matrices):
            gradient, ratio = now[number]
            row = (
                Row()
                .put(clip_left(matrix.name, names).ljust(names + 2))
                .put(f"{plain(gradient):>8}  {plain(ratio):>10}   ")
            )
            half = room - len(shown) - 1
            row.put(charts.bar(gradient / largest if gradient == gradient else 0.0, max(2, half)), palette.DATA)
            if len(shown) > 1:
                row.put(" " + bars([s[number][0] for s in series], len(shown)), palette.DIM)
            lines.append(row.done())
        return lines

    def _spread(self, count: int, most: int) -> list[int]:
        if count <= most:
            return list(range(count))
        return sorted({i * (count - 1) // max(1, most - 1) for i in range(most)})

    def _norms_of(self, view: View, steps: list[Summary], at: int) -> list[tuple[float, float]]:
        """Per matrix (gradient norm, |update| / |weight|) of a finished step."""
        own, before = steps[at], steps[at - 1].data if at else None
        return self.kept(("norms", own.index), lambda: self._measured(view.trace, own, before))

    def _measured(self, trace: Trace, own: Summary, before: array[float] | None) -> list[tuple[float, float]]:
        found = []
        change = None
        if own.data is not None and before is not None and len(before) == len(own.data):
            change = own.data[:]
            for i, old in enumerate(before):
                change[i] -= old
        for matrix in trace.program.matrices:
            weight = norm(trace, matrix, own.data)
            moved = norm(trace, matrix, change)
            found.append((norm(trace, matrix, own.grad), moved / weight if weight else math.nan))
        return found

    def _stream_lines(self, view: View, width: int) -> list[Line]:
        """Norm and cosine per block at the moment's position, and rectifiers."""
        found = tokens(view.trace)
        made = [d for d in found.distributions if view.trace.born_at(d.last) <= view.event]
        lines: list[Line] = []
        if made and (below := stream(view.trace, made[-1])) is not None:
            d = made[-1]
            token = f" {found.vocabulary.name(d.token)}" if d.token >= 0 else ""
            lines.append([text(f"residual stream at position {d.position + 1}{token}", palette.DIM)])
            longest = max(s.norm for s in below.stages) or 1.0
            label = max(len(s.label) for s in below.stages)
            for stage in below.stages:
                row = Row().put(f"  {stage.label.ljust(label)}  norm {stage.norm:8.3g} ")
                room = max(0, min(30, width - label - 47))
                row.put(charts.bar(stage.norm / longest, room), palette.DATA)
                if stage.added == stage.added:
                    row.put(f" added {stage.added:8.3g}  cos {stage.cosine:+.4f}", palette.DIM)
                lines.append(row.done())
        for a in activations(view.trace, view.event):
            row = Row().put(f"  {a.name}"[: max(10, width - 34)])
            words = ("zero", "dead") if a.rectifies else ("saturated", "always")
            row.put(f"  {words[0]} {a.flat:4.0%}  {words[1]} {a.dead}/{a.units}", palette.DIM)
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
                own = self.kept(("texts", trace.index, trace.version), partial(texts, trace))
                if not own.texts:
                    continue
                joined = " ".join(own.texts)
                words.append(text(f"{own.number} ", palette.FAINT))
                words.append(text(f"{joined}  "[: width - 8], palette.TEXT))
            if len(recorded) < done[kind]:
                words.append(text("(texts of recorded episodes only)", palette.FAINT))
            lines += wrapped(words, width)
        return lines

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
        """Go to the step under the curve's cursor; one that was not kept is run again."""
        if self.view is None or not (steps := self.view.history.steps):
            self.action_nothing("no training step is over yet")
            return
        self.post_message(MomentChosen(0, steps[self._at(self.view, steps)].index))

    def on_click(self, event: events.Click) -> None:
        """A click on the chart moves its cursor."""
        if self.view is None or not (steps := self.view.history.steps):
            return
        y = event.y + self.scroll_offset.y
        room = max(8, self.content_width - LABEL - 1)
        if 1 <= y <= CHART_HEIGHT and event.x >= LABEL:
            count = max(len(steps), *map(len, self._others()), 1)
            self.step = min(len(steps) - 1, charts.place_at(event.x - LABEL, count, room))
            self.restate()
            self.post_message(StepChosen(self.step))

    # -- explanation -------------------------------------------------------------------------

    def explain(self, view: View | None) -> str:
        if view is None or not (steps := view.history.steps):
            return self.explanation
        own = steps[self._at(view, steps)]
        losses = _losses(steps)
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


def _losses(steps: list[Summary]) -> list[float]:
    return [s.loss if s.loss is not None else math.nan for s in steps]


def _over(one: str, two: str) -> str:
    return " " if one == two == " " else charts.both(one, two)
