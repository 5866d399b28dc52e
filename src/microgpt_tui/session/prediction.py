"""Guessing the next number before it is shown, and how often that was right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from microgpt_tui.narrate.questions import Question, question
from microgpt_tui.narrate.words import number
from microgpt_tui.session.moment import Moment

if TYPE_CHECKING:
    from microgpt_tui.session.debugger import Debugger

MOST = 50
"""Operations that are passed over for one that can be asked about."""


class Prediction:
    """The question that is open, and the score."""

    def __init__(self) -> None:
        self.right = self.asked = 0
        self.open: Question | None = None
        self.verdict = ""
        """What came of the last guess; empty while a question is open, and while nobody is guessing."""
        self._at = self._answer = Moment(0, -1)

    @property
    def score(self) -> str:
        """``3 of 4 right``."""
        return f"{self.right} of {self.asked} right" if self.asked else ""

    def text(self, debugger: Debugger) -> str:
        """The open question, or the verdict; "" where somebody has gone elsewhere since."""
        if self.open is not None:
            return f"What comes? {self.open.text}" if debugger.moment == self._at else ""
        return self.verdict if debugger.moment == self._answer else ""

    def ask(self, debugger: Debugger) -> Iterator[None]:
        """Ask about the next operation. It is executed where it has to be, and not looked at."""
        before, self.open, self.verdict = debugger.moment, None, ""
        for _ in range(MOST):
            if not debugger.step():
                break
            yield
            trace, here = debugger.trace, debugger.moment
            found = question(trace, here.event) if trace is not None and here.event >= 0 else None
            if found is not None and trace is not None:
                self.open, self._answer = found, here
                self._at = Moment(here.episode, here.event - 1) if here.event else before
                debugger.moment, debugger.hit = self._at, None
                return
        self.verdict, self._answer = debugger.notice or "nothing more to predict here", debugger.moment

    def guess(self, debugger: Debugger, text: str) -> None:
        """Compare a guess, and show what it is. Raises ValueError without an open question, or for no number."""
        asked = self.open
        if asked is None or not self.text(debugger):
            raise ValueError("nothing is asked here: predict asks about the next operation")
        try:
            right = asked.right(text)
        except ValueError:
            raise ValueError(f"“{text}” is no number: predict -0.02, or predict alone to be asked anew") from None
        self.asked += 1
        self.right += right
        self.open = None
        value = number(asked.value)
        if right:
            self.verdict = f"Right: it is {value}."
        else:
            turned = asked.value and Question("", -asked.value).right(text)
            self.verdict = f"No, it is {value}, not {text}" + ("; the sign is the other." if turned else ".")
        self.verdict += f" {self.score}."
        debugger.moment = self._answer

    def leave(self) -> None:
        """No more questions; the score stays."""
        self.open, self.verdict = None, ""
