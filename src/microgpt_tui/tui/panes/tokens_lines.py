"""Lines of the tokens pane: the text, target or draw, and the logit lens."""

from __future__ import annotations

import math
from itertools import accumulate

from rich.style import Style

from microgpt_tui.recognise.residual import lens as read_off
from microgpt_tui.recognise.residual import stream
from microgpt_tui.recognise.tokens import Distribution, Tokens, softmax
from microgpt_tui.trace.trace import Trace
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, Row, text, wrapped
from microgpt_tui.tui.pane import View


def text_lines(view: View, found: Tokens, at: int, width: int) -> list[Line]:
    """The sequence with the current position marked."""
    d = found.distributions[at]
    vocabulary = found.vocabulary
    row = Row()
    sequence = [x for x in found.distributions if x.sequence == d.sequence]
    ids = [p for p in found.positions if p.sequence == d.sequence]
    several = len({x.sequence for x in found.distributions})
    row.put(f"text {d.sequence + 1}/{several} " if several > 1 else "text ", palette.DIM)
    for p in ids[: max(1, width - 40)]:
        here = p.position == d.position
        reached = view.trace.born_at(p.node) <= view.event
        style = palette.MARK if here else palette.TEXT if reached else palette.FAINT
        row.put(f"[{vocabulary.short(p.token)}]" if here else vocabulary.short(p.token), style)
    if not ids:
        row.put("(which tokens went in could not be told)", palette.DIM)
    row.put(f"   position {d.position + 1} of {len(sequence)}", palette.DIM)
    if found.vocabulary.source:
        row.put(f" · V={found.size} from {found.vocabulary.source}"[: max(0, width - row.width)], palette.FAINT)
    return [row.done()]


def outcome_lines(view: View, found: Tokens, d: Distribution, values: list[float], width: int) -> list[Line]:
    name = found.vocabulary.name
    lines: list[Line] = []
    entropy = -sum(v * math.log(v) for v in values if v > 0)
    if d.target >= 0:
        p = values[d.target]
        loss = d.loss_at(view.trace, view.event)
        words = [
            text("target ", palette.DIM), text(name(d.target), palette.GOOD, bold=True),
            text(f"  p {p:.4f}", palette.TEXT),
            text(f"  loss {loss:.4f}" if loss == loss else "  loss not made yet", palette.TEXT, bold=loss == loss),
            text(f"  (uniform {math.log(len(values)):.4f})", palette.DIM),
            text(f"  entropy {entropy:.2f}", palette.DIM),
        ]  # fmt: skip
        lines += wrapped(words, width)
    if d.draw is not None:
        lines += draw_lines(view, found, d, values, width)
    elif d.target < 0:
        lines.append([text(f"no target and no draw here · entropy {entropy:.2f}", palette.DIM)])
    temperature = script_temperature(view, d)
    if temperature is not None:
        lines.append([text(f"the script divides the logits by {temperature:.4g} (temperature)", palette.DIM)])
    if d.scaled and not d.probabilities:
        lines.append([text("the script makes no probabilities here: softmax of its logits shown", palette.DIM)])
    return lines


def at_moment(view: View, found: Tokens) -> int:
    """The distribution that the moment is about: being made or made last; in the backward pass the event's own."""
    trace = view.trace
    node = trace.node_of(view.event) if 0 <= view.event < len(trace) else -1
    at = -1
    for i, d in enumerate(found.distributions):
        reference = node if trace.first_node <= node < trace.end_node else None
        if (trace.born_at(d.first) <= view.event) if reference is None else (d.first <= reference):
            at = i
    return max(0, at)


def script_temperature(view: View, d: Distribution) -> float | None:
    if d.logits == d.scaled:
        return None
    trace = view.trace
    for raw, scaled in zip(d.logits, d.scaled, strict=True):
        y = trace.data_at(scaled, view.event)
        if y and y == y:
            return trace.data_at(raw, view.event) / y
    return None


def draw_lines(view: View, found: Tokens, d: Distribution, values: list[float], width: int) -> list[Line]:
    """The probabilities laid end to end, and where the random number fell."""
    draw = d.draw
    assert draw is not None
    happened = draw.event <= view.event
    words = [text("draw ", palette.DIM)]
    if not happened:
        return [[*words, text("not yet", palette.DIM)]]
    token = found.vocabulary.name(draw.token) if draw.token >= 0 else "?"
    if draw.draw == draw.draw:
        words += [text(f"{draw.draw:.6f}", palette.TEXT, bold=True), text(" → ", palette.DIM)]
    else:
        words = [text("chosen ", palette.DIM)]
    words.append(text(token, palette.GOOD, bold=True))
    ends = list(accumulate(values))
    if 0 <= draw.token < len(values):
        begin = ends[draw.token] - values[draw.token]
        words.append(text(f"  which covers {begin:.4f} – {ends[draw.token]:.4f}", palette.DIM))
    lines = [words]
    if not draw.weights:
        lines.append([text("(a random number without weights: the script chose by rules of its own)", palette.DIM)])
    if draw.draw != draw.draw:
        return [
            words,
            [text("(without a random number that was seen: the likeliest, or a rule of its own)", palette.DIM)],
        ]
    row = Row()
    room = max(10, width - 2)
    mark = min(room - 1, int(draw.draw * room))
    token_at, names = 0, []
    for x in range(room):
        while token_at < len(ends) - 1 and ends[token_at] * room <= x + 0.5:
            token_at += 1
        names.append(token_at)
    for x, t in enumerate(names):
        color = palette.POSITIVE if t % 2 else palette.NEGATIVE
        begins = x == 0 or names[x - 1] != t
        style = Style(color=palette.INK, bgcolor=palette.GOOD if t == draw.token else color)
        row.put(found.vocabulary.cell(t) if begins else " ", style)
    lines.append(row.done())
    lines.append([text(" " * mark + "▲", palette.ACCENT, bold=True)])
    return lines


def lens_lines(lens: list[tuple[str, list[float]]], found: Tokens, d: Distribution, width: int) -> list[Line]:
    """The likeliest tokens after each block."""
    if not lens:
        return [[text("logit lens (l): the vector under the output matrix could not be told here", palette.FAINT)]]
    lines: list[Line] = [[text("logit lens (l): the top tokens if the model stopped after …", palette.DIM)]]
    label = max(len(stage) for stage, _ in lens)
    for stage, shares in lens:
        order = sorted(range(len(shares)), key=lambda i: -shares[i])
        words = f"  {stage.ljust(label)}  "
        row = Row().put(words, palette.DIM)
        for t in order:
            piece = f"{found.vocabulary.short(t)} {shares[t]:.3f}  "
            if row.width + len(piece) > width:
                break
            row.put(piece, palette.style(palette.GOOD, True) if t == d.target else palette.TEXT)
        lines.append(row.done())
    return lines


def stages(trace: Trace, d: Distribution) -> list[tuple[str, list[float]]]:
    """What the model would say after each block: (its name, probabilities); empty where that is not known."""
    below = stream(trace, d)
    return [(s.label, softmax(read_off(trace, below, s))) for s in below.stages] if below is not None else []
