"""What follows from a recording: computed by the first question, kept beside it, dropped by one rule when it changes.

Two decorators for functions of a trace (or of a program), so that nobody keeps a cache by hand:

* ``derived``: the value is thrown away as soon as the trace has changed.
* ``growing``: the value takes in what is new by itself (``update(trace)``), and is thrown away only when
  something that it has seen already was changed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar


class Keeps(Protocol):
    """Something recorded: it drops ``derived`` when it grows, and ``grown`` too when it is cut."""

    version: int
    derived: dict[Any, Any]
    grown: dict[Any, tuple[int, Any]]


class Grows(Protocol):
    """An index that can take in what is new."""

    def update(self, trace: Any) -> None:
        """Take in what was recorded since the last time."""


K = TypeVar("K", bound=Keeps)
G = TypeVar("G", bound=Grows)
P = ParamSpec("P")
R = TypeVar("R")


def derived(function: Callable[Concatenate[K, P], R]) -> Callable[Concatenate[K, P], R]:
    """Keep ``function(trace, *key)`` until the trace changes. The key must be hashable."""

    @wraps(function)
    def kept(trace: K, /, *key: P.args, **keywords: P.kwargs) -> R:
        place = (function, *key, *keywords.items())
        values = trace.derived
        if place not in values:
            made = function(trace, *key, **keywords)
            trace.derived[place] = made  # asked again: the function itself may have made the trace lay something out
        found: R = trace.derived[place]
        return found

    return kept


def growing(make: Callable[Concatenate[K, P], G]) -> Callable[Concatenate[K, P], G]:
    """Keep ``make(trace, *key)``, and let it ``update(trace)`` when the trace has grown. The key must be hashable."""

    @wraps(make)
    def kept(trace: K, /, *key: P.args, **keywords: P.kwargs) -> G:
        place = (make, *key, *keywords.items())
        found = trace.grown.get(place)
        value: G = found[1] if found is not None else make(trace, *key, **keywords)
        if found is None or found[0] != trace.version:
            value.update(trace)
            trace.grown[place] = trace.version, value
        return value

    return kept
