"""What an episode was made of, counted from its raw log: the same numbers that encoding it would give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter, itemgetter
from typing import Any

from microgpt_tui.debuggee.record.edges import operands_attribute
from microgpt_tui.debuggee.rewrite.sites import SiteRecord
from microgpt_tui.protocol.codes import (
    ACCUMULATE,
    ASSIGN,
    CREATE,
    EVENT_NAMES,
    LEAVE,
    PRINT,
    SAMPLE,
    UPDATE,
    ZERO,
    SiteKind,
)

WRITES = {SiteKind.ACCUMULATE: ACCUMULATE, SiteKind.ASSIGN: ASSIGN, SiteKind.UPDATE: UPDATE}
OTHERS = {SiteKind.SAMPLE: SAMPLE, SiteKind.PRINT: PRINT}


def count(
    log: list[Any], passes: Sequence[int], records: Sequence[SiteRecord | None], node_class: type
) -> tuple[tuple[int, ...], int]:
    """(events of each kind, operands). ``passes``: where in it loops that propagate begin and end."""
    events = [0] * len(EVENT_NAMES)
    nodes: list[Any] = []
    at = 0
    for begin, end in zip(passes, [*passes[1:], len(log)], strict=False):
        if begin < at or log[begin] < 0:  # the end of a loop
            continue
        nodes += _nodes(log[at:begin])
        at, sources = _sources(log, begin, end, node_class)
        loop = records[log[begin]]
        assert loop is not None
        events[ACCUMULATE] += _contributions(sources, loop)
    nodes += _nodes(log[at:])
    events[CREATE] = len(nodes)
    notes = [entry for entry in log if type(entry) is tuple]
    codes = Counter(map(itemgetter(0), notes))
    kinds = {code: record.kind for code in codes if (record := records[code]) is not None}
    for code, kind in kinds.items():
        if kind in OTHERS:
            events[OTHERS[kind]] += codes[code]
    writes = {code: WRITES[kind] for code, kind in kinds.items() if kind in WRITES}
    for entry in [entry for entry in notes if entry[0] in writes]:
        if isinstance(entry[1], node_class):
            written = writes[entry[0]]
            events[ZERO if written == ASSIGN and _is_zero(entry[2]) else written] += 1
    return tuple(events), _edges(nodes, node_class)


def _nodes(log: list[Any]) -> list[Any]:
    """The nodes among the entries: what is neither a mark nor a note."""
    return [entry for entry in log if (kind := type(entry)) is not int and kind is not tuple]


def _sources(log: list[Any], begin: int, end: int, node_class: type) -> tuple[int, list[Any]]:
    """Where a loop that propagates is over (its end was noted, or it was left by an exception), and its nodes."""
    inside = log[begin + 1 : end]
    if set(map(type, inside)) <= {node_class}:
        return end, inside
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
    try:
        return float(value) == 0.0
    except (TypeError, ValueError, OverflowError):
        return False
