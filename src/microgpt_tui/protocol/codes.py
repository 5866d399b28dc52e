"""The numbers that the recorder and the trace agree on: event kinds, site kinds, binding kinds."""

from __future__ import annotations

from enum import IntEnum

CREATE, ACCUMULATE, ASSIGN, ZERO, UPDATE, SAMPLE, PRINT = range(7)
"""Event kinds. ASSIGN is a grad set to something that is neither a sum with itself nor zero
(the seed ``self.grad = 1``, a clipped gradient)."""

EVENT_NAMES = ("create", "accumulate", "assign", "zero", "update", "sample", "print")

SETUP, FORWARD, BACKWARD, OPTIMIZER, INFERENCE = range(5)
"""Phases of a run."""

PHASE_NAMES = ("setup", "forward", "backward", "optimizer", "inference")


class SiteKind(IntEnum):
    """What a place in the source stands for."""

    MODULE = 0
    CALL = 1
    ITERATION = 2
    STATEMENT = 3
    OPERATION = 4
    """A method of the autograd class that is written with other operations (``__sub__``)."""
    EXPRESSION = 5
    CREATE = 6
    """A call of the autograd class inside one of its own methods: makes an operation's result."""
    CONSTANT = 7
    """As CREATE, for a plain number wrapped into a fresh leaf."""
    ACCUMULATE = 8
    ASSIGN = 9
    UPDATE = 10
    BIND = 11
    ELEMENT = 12
    APPEND = 13
    SAMPLE = 14
    PRINT = 15
    PROPAGATE = 16
    """The loop of a backward pass in which every node propagates its gradient to its operands."""
    BEFORE = 17
    """A node's data is about to be written: what it was made with."""
    SUSPEND = 18
    """A generator or a coroutine is left, at a ``yield`` or at its end."""
    RESUME = 19
    """It goes on."""
    GIVER = 20
    """A node's gradient is handed on: what is added from here on comes from it, where nothing else tells."""


class BindKind(IntEnum):
    """What a variable was bound to."""

    NODE = 0
    NODES = 1
    NUMBER = 2
    INTEGER = 3
    NUMBERS = 4
    TEXT = 5
    OTHER = 6


LEAVE = 0
"""The mark that ends a function call."""
LEAVE_OPERATION = 1
"""The mark that ends a method of the autograd class that is written with other operations."""
LEAVE_PROPAGATE = -1
"""The mark that ends the loop of a backward pass."""
FIRST_SITE = 2
"""Marks from here on are numbers of sites."""

NO_NODE = -1
NOTED_INT, NOTED_ASSIGN = 1, 2
"""Flags of a noted write: its number is a Python int; the grad was set, not added to."""
REFLECTED = {"radd": "add", "rmul": "mul", "rsub": "sub", "rtruediv": "truediv", "rpow": "pow", "iadd": "add"}
"""Method -> what the nodes that it makes are called, where that is not its own name."""
SYMBOLS = {"+": "add", "-": "sub", "*": "mul", "/": "truediv", "**": "pow", "^": "pow", "@": "matmul", "%": "mod"}
"""Operation as it may be written -> what it is called."""
CONSTANT_OP = "const"
LEAF_OP = "leaf"
OUTSIDE_OP = "outside"
ALTERED_LINE = 0
"""Line of the site of updates that the person makes with ``set``: it is on none."""

WHOLE, APPENDED, REPLACED = -1, -2, -3
"""What ``bind_index`` says when it is no index: the variable was bound as a whole; an item was appended to the part
that ``bind_path`` names; that part was replaced."""


def phase_after(current: int, kind: int, base: int, first: bool) -> int:
    """The phase that an event of this kind belongs to, after one of phase ``current``.

    ``base`` is the phase of an operation in this episode: setup, forward or inference.
    """
    if kind == CREATE:
        return base
    if kind in (ACCUMULATE, ASSIGN):
        return BACKWARD
    if kind == UPDATE or (kind == ZERO and (current == base or first)):
        return OPTIMIZER
    return current


BASE_PHASE = {"setup": SETUP, "sample": INFERENCE, "step": FORWARD, "other": FORWARD}
"""The phase of an operation, by the kind of its episode."""


COLUMNS: dict[str, str] = {
    # events; which row each is about: see ``protocol.rows``
    "kind": "B",
    "span_start": "i",
    "span_scope": "i",
    # scopes
    "scope_parent": "i",
    "scope_site": "i",
    "scope_first": "i",
    "scope_last": "i",
    # nodes of earlier episodes that have come in: rows of those below
    "outside": "i",
    # nodes: index is the node's number minus first_node
    "op": "H",
    "data": "d",
    "child_start": "i",
    "site": "i",
    # edges, by child_start
    "child": "i",
    "local": "d",
    "local_int": "B",
    # writes of a grad (accumulate, assign, zero) that were noted one by one: see ``protocol.gradients``
    "noted_row": "i",
    "noted_target": "i",
    "noted_source": "i",
    "noted_value": "d",
    "noted_factor": "d",
    "noted_site": "i",
    "noted_flags": "B",
    # runs of nodes that propagate their grads: the first write's row, where in ``order`` they begin, the site
    "pass_row": "i",
    "pass_start": "i",
    "pass_site": "i",
    "order": "i",
    # grads after a write where they do not follow from what is recorded
    "exact_row": "i",
    "exact_after": "d",
    "exact_int": "B",
    # updates of a node's data
    "updated": "i",
    "old": "d",
    "new": "d",
    "update_site": "i",
    "update_event": "i",
    "used_start": "i",
    "used": "d",
    # samples
    "sample_event": "i",
    "sample_site": "i",
    "sample_count": "i",
    "draw": "d",
    "choice": "i",
    "weight_start": "i",
    "weight": "d",
    # prints
    "print_event": "i",
    "print_site": "i",
    "print_end": "q",
    # variables
    "bind_event": "i",
    "bind_scope": "i",
    "bind_site": "i",
    "bind_kind": "B",
    "bind_start": "i",
    "bind_shape": "i",
    "bind_path": "i",
    "bind_index": "i",
    "bind_list": "q",
    "bound_nodes": "i",
    "bound_numbers": "d",
    # nodes whose data is a Python int: shown as such
    "int_data": "i",
}
"""Name and type code of every column."""
