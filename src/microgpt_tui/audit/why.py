"""Why a number is what it is: the operands that account for most of it, and the contributions that make up its grad."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from microgpt_tui.protocol.codes import ZERO
from microgpt_tui.trace.formula import short
from microgpt_tui.trace.ledger import ledger
from microgpt_tui.trace.names import describe, name
from microgpt_tui.trace.trace import Trace

MOST_TERMS = 4096
"""Terms of a sum that are told apart."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of several numbers that add up."""

    node: int
    text: str
    amount: float
    share: float
    """Part of Σ|amounts|: 0 to 1."""


@dataclass(frozen=True, slots=True)
class Why:
    """A node's data and grad, each as the parts that it is made of, the largest first."""

    node: int
    data: tuple[Part, ...]
    grad: tuple[Part, ...]
    pending: int
    """Contributions to the grad that are still to come at the moment asked about."""


def why(trace: Trace, node: int, event: int) -> Why:
    """What accounts for a node's data, and for its grad so far."""
    parts = [(n, name(trace, n) + _made_of(trace, n), trace.data_at(n, event)) for n in terms(trace, node)]
    rows = ledger(trace, node, event)
    given = [
        (c.source, describe(trace, c.source) if c.source >= 0 else "the seed of backward()", c.delta)
        for c in rows if c.done and c.delta == c.delta
    ]  # fmt: skip
    return Why(node, _parts(parts), _parts(given), sum(not c.done and c.kind != ZERO for c in rows))


def terms(trace: Trace, node: int) -> list[int]:
    """The terms of a sum, through the additions that nothing else uses; a node that is no sum has one, itself."""
    found: list[int] = []
    pending = [node]
    while pending and len(found) < MOST_TERMS:
        one = pending.pop()
        inner = one == node or len(trace.users(one)) == 1
        if inner and trace.op_name(one) == "add":
            pending += reversed(list(trace.children(one)))
        else:
            found.append(one)
    return found


def _made_of(trace: Trace, node: int) -> str:
    children = list(trace.children(node))
    if trace.op_name(node) != "mul" or len(children) != 2:
        return ""
    numbers = [short(trace.data_at(c, max(0, trace.born_at(node)))) for c in children]
    return f" = {name(trace, children[0])} × {name(trace, children[1])} = {numbers[0]} × {numbers[1]}"


def _parts(rows: Sequence[tuple[int, str, float]]) -> tuple[Part, ...]:
    total = math.fsum(abs(x) for _, _, x in rows if math.isfinite(x))
    made = [Part(n, t, x, abs(x) / total if total and math.isfinite(x) else 0.0) for n, t, x in rows]
    return tuple(sorted(made, key=lambda p: -p.share))
