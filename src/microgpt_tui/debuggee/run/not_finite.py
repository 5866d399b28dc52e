"""Whether a NaN or an infinity may have been made, told from few numbers: the script need not be looked at all the way.

A whole step lies in the log when its loss is known. So what is looked at is the loss as a backward pass begins, the
parameters' gradients as it ends, and at the end of an episode every node's number and the parameters'. Only where one
of these is not finite is the log searched for the operation that made the first (``trace.facts.made_not_finite``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.debuggee.record.counts import apart, made
from microgpt_tui.debuggee.record.edges import operands_attribute
from microgpt_tui.trace.facts import made_here


def all_finite(numbers: Iterable[Any]) -> bool:
    """False where one is a NaN or an infinity, or where that cannot be told (they are too large to be added up)."""
    try:
        total = sum(numbers)
        return bool(total - total == 0)
    except (TypeError, OverflowError):
        return False


def suspicious_pass(recorder: Recording, loss: Any) -> bool:
    """As a backward pass begins from a loss, or (without one) has ended: whether to search."""
    if loss is not None:
        return not all_finite([getattr(loss, recorder.data_name, 0.0)])
    return recorder.loss_grads is not None and not all_finite(recorder.loss_grads)


def suspicious_episode(recorder: Recording) -> bool:
    """As an episode ends: whether to search."""
    node_class, data_of = recorder.node_class, recorder.data_of
    nodes = made(apart(recorder.log, recorder.passes, node_class)[0], node_class)
    if not all_finite(map(data_of, nodes)) and any(_made_here(recorder, node) for node in nodes):
        return True
    kept = recorder.kept_nodes
    return not all_finite(map(data_of, kept)) or not all_finite(map(recorder.grad_of, kept))


def _made_here(recorder: Recording, node: Any) -> bool:
    """True for a node that is not finite by its own doing: a mask of ``-inf`` is meant, and so is what follows."""
    value = recorder.data_of(node)
    if all_finite([value]):
        return False
    name = operands_attribute(node, recorder.node_class)
    operands = recorder.operands.of(node) or getattr(node, name or "", ())
    try:
        return made_here(value, tuple(map(recorder.data_of, operands)))
    except TypeError:
        return True
