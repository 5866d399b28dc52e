"""A story with its number left out: what a student is asked before it is shown."""

from __future__ import annotations

import math
from dataclasses import dataclass

from microgpt_tui.narrate import story
from microgpt_tui.narrate.words import number
from microgpt_tui.protocol.codes import ACCUMULATE, ASSIGN, CREATE, UPDATE
from microgpt_tui.trace.trace import Trace

NEAR = 0.01
"""A guess is right within this share of the value."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be predicted of an event."""

    text: str
    value: float

    def right(self, guess: str) -> bool:
        """True for a guess within its own last digit, or a hundredth of the value. Raises ValueError for no number."""
        said = float(guess)
        if not math.isfinite(said) or not math.isfinite(self.value):
            return said == self.value or (said != said and self.value != self.value)
        return abs(said - self.value) <= max(NEAR * abs(self.value), _half_digit(guess) if said else 0.0, 1e-12)


def _half_digit(text: str) -> float:
    """Half a unit of the last of two digits or more that are written: ``-0.023`` stands for -0.0225 to -0.0235."""
    mantissa, _, exponent = text.strip().lower().partition("e")
    digits = mantissa.lstrip("+-0.").replace(".", "")
    decimals = len(mantissa.partition(".")[2])
    if len(digits) < 2 or not decimals:
        return 0.0
    return 0.5 * 10.0 ** (int(exponent or 0) - decimals)


def question(trace: Trace, event: int) -> Question | None:
    """The question about an event; None where there is nothing to compute (a draw, a print, a wrapped number)."""
    kind, row = trace.kind[event], trace.row[event]
    told = story(trace, event).what
    if kind == CREATE:
        node = trace.node_of(event)
        if not len(trace.children(node)):
            return None
        return _without(told, trace.data_at(node, event), " = {}.", " = ?")
    if kind == ACCUMULATE:
        delta = trace.delta[row]
        return _without(told, delta, " = {} goes to", " = ? goes to") or _without(
            told, delta, "adds {} to", "adds ? to"
        )
    if kind == ASSIGN:
        return _without(told, trace.after[row], "itself is {}.", "itself is ?")
    if kind == UPDATE:
        new, old = trace.new[row], trace.old[row]
        head = told.rpartition(f" to {number(new)}, by {number(new - old)}")[0]
        grad = number(trace.grad_at(trace.updated[row], event - 1))
        return Question(f"{head} to ? Its gradient is {grad}.", new) if head else None
    return None


def _without(told: str, value: float, shown: str, hidden: str) -> Question | None:
    head, found, tail = told.rpartition(shown.format(number(value)))
    return Question(f"{head}{hidden}{tail}", value) if found else None
