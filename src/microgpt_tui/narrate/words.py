"""How sentences write numbers and names."""

from __future__ import annotations

import math

from microgpt_tui.protocol.codes import CONSTANT_OP, LEAF_OP
from microgpt_tui.trace.names import name
from microgpt_tui.trace.positions import position_scope
from microgpt_tui.trace.trace import Trace


def number(value: float) -> str:
    """Four significant digits or more: never so few that it reads as another, whole number."""
    if not math.isfinite(value):
        return "nan" if value != value else "infinity" if value > 0 else "-infinity"
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    for digits in (4, 6, 9, 17):
        text = f"{value:.{digits}g}"
        if "." in text or "e" in text:
            break
    return text


def called(trace: Trace, node: int, event: int) -> str:
    """A node's name; one of another position than the event's says which: ``k[3] (pos_id=2)``."""
    born, own = trace.born_at(node), name(trace, node)
    if not own[0].isalnum() and own[0] not in "_-":
        own = f"the {own}"  # an operation by its sign
    if born < 0 or trace.op_name(node) in (CONSTANT_OP, LEAF_OP):
        return own
    there = position_scope(trace, born)
    label = trace.scope_values.get(there, "")
    return f"{own} ({label})" if label and there != position_scope(trace, event) else own


def listed(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def plural(count: int, one: str, more: str = "") -> str:
    """``1 term``, ``3 terms``."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"
