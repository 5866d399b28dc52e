"""What an episode was made of, counted from its raw log: the same numbers that encoding it would give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter, itemgetter
from typing import Any

from microgpt_tui.debuggee.record.edges import operands_attribute
from microgpt_tui.debuggee.record.operands import Operands
from microgpt_tui.debuggee.rewrite.sites import SiteRecord
from microgpt_tui.protocol.codes import (
    ACCUMULATE,
    ASSIGN,
    CREATE,
    EVENT_NAMES,
    LEAVE,
    LEAVE_PROPAGATE,
    PRINT,
    SAMPLE,
    UPDATE,
    ZERO,
    SiteKind,
)

EVENTS = {
    SiteKind.ACCUMULATE: ACCUMULATE,
    SiteKind.ASSIGN: ASSIGN,
    SiteKind.UPDATE: UPDATE,
    SiteKind.SAMPLE: SAMPLE,
    SiteKind.PRINT: PRINT,
}
"""Kinds of notes that are events."""
WRITES = (ACCUMULATE, ASSIGN, UPDATE)


def count(
    log: list[Any],
    passes: Sequence[int],
    records: Sequence[SiteRecord | None],
    node_class: type,
    operands: Operands | None = None,
) -> tuple[tuple[int, ...], int]:
    """(events of each kind, operands). ``passes``: where in it loops that propagate begin and end."""
    events = [0] * len(EVENT_NAMES)
    pieces, loops = apart(log, passes, node_class)
    for code, sources in loops:
        loop = records[code]
        assert loop is not None
        events[ACCUMULATE] += _contributions(sources, loop)
    nodes = made(pieces, node_class)
    events[CREATE] = len(nodes)
    kinds = {code: EVENTS[r.kind] for code, r in enumerate(records) if r is not None and r.kind in EVENTS}
    told = [entry for piece in pieces for entry in piece if type(entry) is tuple and entry[0] in kinds]
    for code, times in Counter(map(itemgetter(0), told)).items():
        kind = kinds[code]
        if kind not in WRITES:
            events[kind] += times
            continue
        notes = [entry for entry in told if entry[0] == code and isinstance(entry[1], node_class)]
        zeros = sum(map(_is_zero, map(itemgetter(2), notes))) if kind == ASSIGN else 0
        events[ZERO] += zeros
        events[kind] += len(notes) - zeros
    if operands is not None and operands.needed:
        return tuple(events), sum(len(operands.of(node)) for node in nodes)
    return tuple(events), _edges(nodes, node_class)


def apart(
    log: list[Any], passes: Sequence[int], node_class: type
) -> tuple[list[list[Any]], list[tuple[int, list[Any]]]]:
    """The pieces of a log outside of loops that propagate; and the loops: (site, its nodes)."""
    pieces, loops, at = [], [], 0
    for begin, end in zip(passes, [*passes[1:], len(log)], strict=False):
        if begin >= at and log[begin] >= 0:  # else the end of a loop
            pieces.append(log[at:begin])
            at, sources = _sources(log, begin, end, node_class)
            loops.append((log[begin], sources))
    return [*pieces, log[at:]], loops


def made(pieces: list[list[Any]], node_class: type) -> list[Any]:
    """The nodes that were made, in order, from the pieces of a log outside of loops that propagate."""
    if node_class.__subclasses__():
        return [entry for piece in pieces for entry in piece if isinstance(entry, node_class)]
    return [entry for piece in pieces for entry in piece if type(entry) is node_class]


def _sources(log: list[Any], begin: int, end: int, node_class: type) -> tuple[int, list[Any]]:
    """Where a loop that propagates is over (its end was noted, or it was left by an exception), and its nodes."""
    inside = log[begin + 1 : end]
    if set(map(type, inside)) <= {node_class}:
        return end, inside
    if end < len(log) and log[end] == LEAVE_PROPAGATE:  # its arithmetic has called functions
        return end, [entry for entry in inside if isinstance(entry, node_class)]
    left = next((k for k, entry in enumerate(inside) if type(entry) is int and entry == LEAVE), len(inside))
    return begin + 1 + left, [entry for entry in inside[:left] if isinstance(entry, node_class)]


def _contributions(nodes: list[Any], loop: SiteRecord) -> int:
    """One for each pair of an operand and its local gradient: the script's zip ends with the shorter one."""
    operands, factors = (list(map(len, map(attrgetter(name), nodes))) for name in loop.names)
    return sum(operands) if operands == factors else sum(map(min, operands, factors))


def _edges(nodes: list[Any], node_class: type) -> int:
    name = next((found for node in nodes if (found := operands_attribute(node, node_class))), None)
    if name is None:
        return 0
    try:
        return sum(map(len, map(attrgetter(name), nodes)))
    except (AttributeError, TypeError):  # a node without: a leaf of a subclass
        return sum(len(getattr(node, name, None) or ()) for node in nodes)


def _is_zero(value: Any) -> bool:
    if value is None:  # no gradient
        return True
    try:
        return float(value) == 0.0
    except (TypeError, ValueError, OverflowError):
        return False
