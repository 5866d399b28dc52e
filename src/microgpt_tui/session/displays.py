"""What is shown at every stop: expressions, and their course over the stops."""

from __future__ import annotations

from microgpt_tui.session.moment import Moment
from microgpt_tui.trace.watches import Expression, Value

LONGEST = 200
"""Stops that are remembered."""


class Displays:
    """The ``display`` expressions of a session: global, not per frame."""

    def __init__(self) -> None:
        self.expressions: list[Expression] = []
        self.past: dict[str, list[tuple[Moment, float]]] = {}

    def add(self, made: Expression) -> None:
        """Show one more; the same text once."""
        if all(e.text != made.text for e in self.expressions):
            self.expressions.append(made)

    def remove(self, text: str) -> None:
        """Show one no more; all of them without a text."""
        self.expressions = [e for e in self.expressions if text and e.text != text]

    def remember(self, text: str, moment: Moment, value: Value) -> list[float]:
        """Note a value at a stop; the course so far. Another look at the same moment is not another stop."""
        past = self.past.setdefault(text, [])
        if isinstance(value, int | float) and (not past or past[-1][0] != moment):
            past.append((moment, float(value)))
            del past[:-LONGEST]
        return [v for _, v in past]
