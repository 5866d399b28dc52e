"""Tokens: which went in at each position, the distribution that came out, the target or the draw."""

from __future__ import annotations

from bisect import bisect_right

from microgpt_tui.recognise.attention import attention, recogniser
from microgpt_tui.recognise.operations import Role, graph_of
from microgpt_tui.recognise.parameters import reads
from microgpt_tui.recognise.predictions import Distribution, Draw, Position, Tokens
from microgpt_tui.recognise.sampling import softmax, what_if
from microgpt_tui.recognise.softmax import softmaxes
from microgpt_tui.recognise.token_finder import Finder
from microgpt_tui.recognise.vocabulary import Vocabulary, proved, vocabulary
from microgpt_tui.trace.derived import growing
from microgpt_tui.trace.trace import Trace

LOSS_WITHIN = 64
"""So many nodes after a softmax its logarithm and loss are made, if they ever are."""


def tokens(trace: Trace) -> Tokens:
    """The tokens of the episode as far as it is recorded."""
    return _latest(trace).found


class _Latest:
    """The tokens, found anew only when something that they follow from has been recorded."""

    found: Tokens

    def __init__(self) -> None:
        self._growth: tuple[object, ...] = ()

    def update(self, trace: Trace) -> None:
        growth = _growth(trace)
        if growth != self._growth:
            self._growth, self.found = growth, _find(trace)


@growing
def _latest(trace: Trace) -> _Latest:
    return _Latest()


def _growth(trace: Trace) -> tuple[object, ...]:
    """What a new answer depends on: while it stays the same, the answer does."""
    rows = softmaxes(trace)
    read = reads(trace)
    made = len(trace.born)
    newest = rows[-1].last - trace.first_node if rows else 0
    loss_pending = made if made - newest < LOSS_WITHIN else -1
    fused = made // LOSS_WITHIN if any(role is Role.OTHER for role in graph_of(trace).roles) else -1
    return (
        len(rows),
        len(read.embedded),
        len(read.multiplied),
        len(trace.sample_event),
        loss_pending,
        fused,
        trace.complete,
    )


def _find(trace: Trace) -> Tokens:
    of_attention = recogniser(trace).attention_rows
    rows = [r for r in softmaxes(trace) if r.first not in of_attention and len(r.exps) > 1]
    found = Finder(trace)
    size = found.vocabulary_size(rows)
    positions = tuple(found.positions(size, [r for r in rows if len(r.exps) == size]))
    distributions = found.distributions([r for r in rows if len(r.exps) == size], positions, size)
    return Tokens(size, _words(trace, size, positions), positions, tuple(distributions))


def _words(trace: Trace, size: int, positions: tuple[Position, ...]) -> Vocabulary:
    """What the tokens stand for; a computed text only where this episode's, or the setup's, texts prove it.

    A list of longer texts that leaves out several tokens may be anything (the documents): it is not taken.
    """
    found = vocabulary(trace.program, size)
    certain = found.texts.count(None) <= 1 or all(t is None or len(t) == 1 for t in found.texts)
    if not size or (found.source and certain):
        return found
    sequences: dict[int, list[int]] = {}
    for p in positions:
        sequences.setdefault(p.sequence, []).append(p.token)
    made = proved(trace.program, size, list(sequences.values()), trace.texts)
    if made is not None:
        trace.program.spelling = made
    known = trace.program.spelling
    if isinstance(known, Vocabulary) and len(known) == size:
        return known
    return Vocabulary((None,) * size, "")


def key_tokens(trace: Trace, sequence: int) -> list[int]:
    """Token id per position of an attention sequence, -1 where unknown."""
    births = attention(trace).births.get(sequence, ())
    positions = tokens(trace).positions
    if not births or not positions:
        return [-1] * len(births)
    nodes = [p.node for p in positions]
    newest = [bisect_right(nodes, birth) - 1 for birth in births]
    if len(births) > 1 and newest[0] == newest[-1]:
        start = newest[0] - len(births) + 1
        newest = [start + i for i in range(len(births))]
    return [positions[i].token if 0 <= i < len(positions) else -1 for i in newest]


def probability_values(trace: Trace, found: Distribution) -> list[float]:
    """The distribution as numbers: the script's own where it makes some, else the softmax of its logits."""
    if found.probabilities:
        return [trace.data[n - trace.first_node] for n in found.probabilities]
    return softmax([trace.data[n - trace.first_node] for n in found.scaled])


__all__ = [
    "Distribution", "Draw", "Position", "Tokens", "key_tokens", "probability_values", "softmax", "tokens", "what_if",
]  # fmt: skip
