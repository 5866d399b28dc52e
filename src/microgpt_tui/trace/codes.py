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
    TURN = 2
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
    RETURN = 16


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
FIRST_SITE = 2
"""Marks from here on are numbers of sites."""

NO_NODE = -1
CONSTANT_OP = "const"
LEAF_OP = "leaf"
OUTSIDE_OP = "outside"

WHOLE, APPENDED, REPLACED = -1, -2, -3
"""What ``bind_index`` says when it is no index: the variable was bound as a whole; an item was appended to the part
that ``bind_path`` names; that part was replaced."""
