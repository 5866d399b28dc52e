"""Training as curves: loss, running mean, gradient norms, speed, documents and samples so far."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from microgpt_tui.recognise.tokens import tokens
from microgpt_tui.recognise.weights import places
from microgpt_tui.trace.trace import Matrix, Trace


def running_mean(values: Sequence[float], window: int = 32) -> list[float]:
    """Mean of the last ``window`` values at every place; NaN counts for nothing."""
    result: list[float] = []
    total, count = 0.0, 0
    for i, value in enumerate(values):
        if value == value:
            total, count = total + value, count + 1
        if i >= window and values[i - window] == values[i - window]:
            total, count = total - values[i - window], count - 1
        result.append(total / count if count else math.nan)
    return result


def norm(trace: Trace, matrix: Matrix, column: array[float] | None) -> float:
    """Euclidean norm of one matrix's part of a column that is as long as the parameters; NaN without one."""
    if column is None or not matrix.nodes or len(column) < len(trace.program.kept):
        return math.nan
    where = places(trace, matrix)
    part = column[where.start : where.stop] if isinstance(where, range) else [column[i] for i in where]
    return math.sqrt(sum([v * v for v in part]))


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast training goes."""

    seconds: float
    """Per step, over the last steps."""
    left: float | None
    """Seconds until the last step; None when the script does not say how many there are."""


def speed(seconds: Sequence[float], done: int, total: int | None, window: int = 32) -> Speed | None:
    """Steps per second and time left, from the steps' durations in seconds."""
    recent = [s for s in seconds[-window:] if s > 0]
    if not recent:
        return None
    each = sum(recent) / len(recent)
    return Speed(each, max(0, total - done) * each if total else None)


@dataclass(frozen=True, slots=True)
class Text:
    """A document or a sample: what went in, sequence by sequence."""

    episode: int
    number: int
    texts: tuple[str, ...]


def texts(trace: Trace) -> Text:
    """The token sequences of an episode as text, special tokens as ``·``.

    A sample that is made by whole passes over a growing text counts once: only its longest is kept. The token that was
    drawn last has gone in nowhere; it is added.
    """
    found = tokens(trace)
    by_sequence: dict[int, list[int]] = {}
    for position in found.positions:
        by_sequence.setdefault(position.sequence, []).append(position.token)
    lines = []
    for sequence, ids in by_sequence.items():
        last = [d for d in found.distributions if d.sequence == sequence]
        tail: list[int] = []
        if last and last[-1].position == len(ids) - 1:
            if last[-1].target >= 0:
                tail = [last[-1].target]
            elif last[-1].draw is not None and last[-1].draw.token >= 0:
                tail = [last[-1].draw.token]
        lines.append("".join(found.vocabulary.short(t) for t in ids + tail))
    if trace.episode_kind == "sample":
        lines = [t for i, t in enumerate(lines) if not any(o.startswith(t) for o in lines[i + 1 :])]
    return Text(trace.index, trace.number, tuple(lines))
