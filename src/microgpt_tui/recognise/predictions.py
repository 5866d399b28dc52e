"""What is said of tokens: which went in, the distribution that came out, the target or the draw."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

from microgpt_tui.recognise.vocabulary import Vocabulary
from microgpt_tui.trace.trace import Trace


@dataclass(frozen=True, slots=True)
class Position:
    """A token that went in: its id and its place."""

    sequence: int
    position: int
    token: int
    node: int
    """The node made from its embedding."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One random choice of a token."""

    event: int
    draw: float
    """The random number, 0..1."""
    token: int
    """The chosen token, or -1 where the script chose by itself."""
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Distribution:
    """The prediction at one position."""

    logits: tuple[int, ...]
    """Nodes, one per token of the vocabulary, before a temperature."""
    scaled: tuple[int, ...]
    """Nodes that the softmax gets; the same as ``logits`` where nothing scales."""
    probabilities: tuple[int, ...]
    """Nodes; empty where the script makes none (a fused loss, a greedy choice)."""
    target: int
    """Token that was to be predicted, or -1."""
    loss: int
    """The node -log p[target] (log p[target] where ``loss_sign`` is -1), or -1."""
    first: int
    """The oldest node of the distribution."""
    last: int
    """The newest."""
    sequence: int = 0
    position: int = -1
    token: int = -1
    """What went in, or -1."""
    draw: Draw | None = None
    loss_sign: int = 1

    def loss_at(self, trace: Trace, event: int) -> float:
        """The loss at this position when events 0..event have happened; NaN where there is none yet."""
        return self.loss_sign * trace.data_at(self.loss, event) if self.loss >= 0 else math.nan


@dataclass(frozen=True, slots=True)
class Tokens:
    """All tokens of an episode."""

    size: int
    """Length of the vocabulary; 0 when none was found."""
    vocabulary: Vocabulary
    positions: tuple[Position, ...]
    distributions: tuple[Distribution, ...]

    def at(self, trace: Trace, event: int) -> int:
        """Index of the distribution that is being made, or was made last, at an event; of the first before that."""
        made = [trace.born_at(d.first) for d in self.distributions]
        return max(0, bisect_right(made, event) - 1)

    def text(self, sequence: int) -> list[int]:
        """Token ids of a sequence."""
        return [p.token for p in self.positions if p.sequence == sequence]
