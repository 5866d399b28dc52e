"""Sums as the script writes them, ``a + b + c`` or ``sum(…)``: which term a node is, of how many.

A sum is a chain of additions whose results no variable holds but the last: its *total*.
"""

from __future__ import annotations

from dataclasses import dataclass

from microgpt_tui.protocol.codes import CONSTANT_OP
from microgpt_tui.trace.first_bindings import first_bindings
from microgpt_tui.trace.trace import Trace

LONGEST = 4096
"""Terms of a sum that are counted at most."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a sum."""

    total: int
    """The node that holds the whole sum, as far as it is recorded."""
    term: int
    """Which term, from 1: the one that a node is, or that an addition has added last."""
    terms: int
    """How many terms there are, as far as they are recorded."""


def adds(trace: Trace, node: int) -> bool:
    """True for an addition of two operands."""
    return node >= trace.first_node and trace.op_name(node) == "add" and len(trace.children(node)) == 2


def _held(trace: Trace, node: int) -> bool:
    """True for what a variable was bound to."""
    return node in first_bindings(trace).place


def _only_user(trace: Trace, node: int) -> int:
    users = trace.users(node)
    return users[0] if len(users) == 1 else -1


def addition_before(trace: Trace, addition: int) -> int:
    """The addition whose result this one goes on from, or -1."""
    left = trace.children(addition)[0]
    goes_on = adds(trace, left) and not _held(trace, left) and _only_user(trace, left) == addition
    return left if goes_on else -1


def addition_after(trace: Trace, addition: int) -> int:
    """The addition that goes on from this one, or -1."""
    user = _only_user(trace, addition) if not _held(trace, addition) else -1
    return user if user >= 0 and adds(trace, user) and trace.children(user)[0] == addition else -1


def is_start(trace: Trace, node: int) -> bool:
    """True for the 0 that ``sum`` begins with."""
    return node >= trace.first_node and trace.op_name(node) == CONSTANT_OP and trace.data_at(node, len(trace)) == 0


def sum_at(trace: Trace, addition: int) -> Place | None:
    """Which term an addition adds, and to which sum; None for what is no part of a sum of three terms or more."""
    if not adds(trace, addition):
        return None
    first, steps = addition, 1
    while steps < LONGEST and (before := addition_before(trace, first)) >= 0:
        first, steps = before, steps + 1
    own = steps + (not any(is_start(trace, c) for c in trace.children(first)))
    total, terms = addition, own
    while terms < LONGEST and (after := addition_after(trace, total)) >= 0:
        total, terms = after, terms + 1
    return Place(total, own, terms) if terms > 2 else None


def term_at(trace: Trace, node: int) -> Place | None:
    """Which term of a sum a node is; None for one that is no term, or of several sums."""
    user = _only_user(trace, node)
    if user < 0 or not adds(trace, user):
        return None
    place = sum_at(trace, user)
    if place is None or addition_before(trace, user) == node:
        return None
    left, right = trace.children(user)
    leads = node == left and addition_before(trace, user) < 0 and not is_start(trace, right)
    return Place(place.total, 1, place.terms) if leads else place
