"""What a poke came to, before and after: loss, predictions, attention; and the nodes of what can be switched off."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from microgpt_tui.audit.ripple import Ripple, as_made
from microgpt_tui.recognise.attention import Attention, attention, open_cell
from microgpt_tui.recognise.parameters import reads
from microgpt_tui.recognise.residual import stream
from microgpt_tui.recognise.sampling import softmax
from microgpt_tui.recognise.tokens import Distribution, tokens
from microgpt_tui.trace.trace import Trace


@dataclass(frozen=True, slots=True)
class Prediction:
    """One position's distribution before and after."""

    sequence: int
    position: int
    moved: float
    """Σ|Δp| over the vocabulary: 0 for no change, 2 for all of it."""
    target: int
    """Token that was to come, or -1."""
    before: tuple[float, ...]
    after: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class HeadChange:
    """One head's attention, all its rows together."""

    sequence: int
    layer: int
    head: int
    moved: float
    """Σ|Δw| over all weights."""
    rows: int


@dataclass(frozen=True, slots=True)
class Effects:
    """A ripple in the terms of a transformer."""

    loss: tuple[float, float] | None
    """Before and after; None where no backward pass has told which node it is."""
    nodes: int
    """How many numbers are other ones."""
    predictions: tuple[Prediction, ...]
    heads: tuple[HeadChange, ...]


def effects(trace: Trace, found: Ripple) -> Effects:
    """Loss, distributions and attention before and after."""
    loss = trace.loss_node()
    both = (as_made(trace, loss), found.data(trace, loss)) if loss >= 0 else None
    predictions = [p for d in tokens(trace).distributions if (p := _prediction(trace, found, d)) is not None]
    seen = attention(trace)
    heads = []
    for (sequence, layer, head), rows in sorted(seen.rows.items()):
        weights = [w for row in rows for w in row.weights]
        moved = sum(abs(found.data(trace, w) - as_made(trace, w)) for w in weights)
        heads.append(HeadChange(sequence, layer, head, moved, len(rows)))
    return Effects(both, len(found.values), tuple(predictions), tuple(heads))


def _prediction(trace: Trace, found: Ripple, told: Distribution) -> Prediction | None:
    nodes = told.probabilities or told.scaled
    if not nodes:
        return None
    before, after = [as_made(trace, n) for n in nodes], [found.data(trace, n) for n in nodes]
    if not told.probabilities:
        before, after = softmax(before), softmax(after)
    moved = sum(abs(a - b) for a, b in zip(after, before, strict=True))
    return Prediction(told.sequence, told.position, moved, told.target, tuple(before), tuple(after))


# -- what can be switched off, or put in another's place -----------------------------------------


def head_output(trace: Trace, layer: int, head: int) -> list[int]:
    """Nodes of what one head gives, at every position. Raises LookupError for a head that there is not."""
    found = attention(trace)
    rows = [row for (_, at, number), rows in found.rows.items() if (at, number) == (layer, head) for row in rows]
    if not rows:
        raise LookupError(f"there is no head {head} in layer {layer}; {_heads(found)}")
    return [node for row in rows for node in open_cell(trace, row, 0).output]


def weights_on(trace: Trace, position: int) -> list[int]:
    """Attention weights with which other positions read this one. Raises LookupError where none does."""
    rows = [r for rows in attention(trace).rows.values() for r in rows if position in r.keys and r.query != position]
    if not rows:
        raise LookupError(f"no other position reads position {position}; {_heads(attention(trace))}")
    return [row.weights[row.keys.index(position)] for row in rows]


def _heads(found: Attention) -> str:
    if not found.heads:
        return "no attention is recognised in this episode, so far"
    return "recognised are " + ", ".join(f"layer {i}: {n} heads" for i, n in enumerate(found.heads))


def block_output(trace: Trace, label: str) -> list[int]:
    """What a block adds to the residual stream, at every position: ``attention 0``, ``MLP 1``. Raises LookupError."""
    found: list[int] = []
    known: dict[str, None] = {}
    for told in tokens(trace).distributions:
        made = stream(trace, told)
        stages = made.stages if made is not None else ()
        for earlier, stage in pairwise(stages):
            if not stage.label.startswith("after "):
                continue
            name = stage.label.removeprefix("after ")
            known[name] = None
            if name.casefold() == label.casefold():
                before = set(earlier.nodes)
                found += [c for n in stage.nodes for c in trace.children(n) if c not in before]
    if not found:
        blocks = "recognised are " + ", ".join(known) if known else "no residual stream is recognised in this episode"
        raise LookupError(f"there is no block “{label}”; {blocks}")
    return found


def token_operands(trace: Trace, position: int, token: int) -> dict[int, tuple[int, ...]]:
    """Another token at a position: the nodes made of its embedding, and their new operands. Raises LookupError.

    Positions count from 0, over all sequences of the episode. What was to be predicted stays.
    """
    places = tokens(trace).positions
    if not 0 <= position < len(places):
        raise LookupError(f"there is no position {position}: {len(places)} tokens went in")
    old = places[position].token
    matrices = trace.program.matrices
    rows = [r for r in reads(trace).embedded if matrices[r.matrix].shape[0] == tokens(trace).size and r.row == old]
    end = places[position + 1].node if position + 1 < len(places) else trace.end_node
    found: dict[int, tuple[int, ...]] = {}
    for read in rows:
        matrix = matrices[read.matrix]
        width = len(matrix.nodes) // matrix.shape[0]
        if not 0 <= token < matrix.shape[0]:
            raise LookupError(f"there is no token {token}: they are 0 to {matrix.shape[0] - 1}")
        new = dict(zip(matrix.nodes[old * width : (old + 1) * width],
                       matrix.nodes[token * width : (token + 1) * width], strict=True))  # fmt: skip
        for parameter in new:
            for user in trace.users(parameter):
                if places[position].node <= user < end:
                    found[user] = tuple(new.get(c, c) for c in trace.children(user))
    if not found:
        raise LookupError(f"what is made of the embedding of position {position} is not recognised")
    return found
