"""What the script runs until."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from microgpt_tui.protocol.fields import Data


@dataclass(frozen=True, slots=True)
class Goal(Data):
    """Until when the script runs: one of the classes below."""

    _: KW_ONLY
    forget: bool = False
    """Episodes that end on the way leave their numbers only, not their events."""
    counting: bool = False
    """Count what each episode was made of."""
    most_steps: int = 0
    """Stop behind so many training steps whatever else is asked for; 0 for no limit."""
    audit: bool = False
    """Compare every running sum of a gradient with the node's own grad, after each backward pass."""


@dataclass(frozen=True, slots=True)
class End(Goal):
    """To the end of the script."""


@dataclass(frozen=True, slots=True)
class Episode(Goal):
    """The first operation of the next episode, or of the one of this kind and number."""

    kind: str = ""
    """``step`` or ``sample``; empty for either."""
    number: int | None = None

    def is_at(self, kind: str, number: int) -> bool:
        """True for an episode that is wanted."""
        return self.kind in ("", kind) and self.number in (None, number)


@dataclass(frozen=True, slots=True)
class Steps(Goal):
    """So many training steps are over: stops before the first event after them."""

    count: int


@dataclass(frozen=True, slots=True)
class Whole(Goal):
    """The end of an episode: those from ``first`` to ``last`` (as the run counts them) are recorded whole."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class At(Goal):
    """So many events of an episode (as the run counts them) have happened."""

    index: int
    count: int


@dataclass(frozen=True, slots=True)
class Phase(Goal):
    """The first event of another phase."""


@dataclass(frozen=True, slots=True)
class Operation(Goal):
    """One operation as the source writes it is complete."""


@dataclass(frozen=True, slots=True)
class Events(Goal):
    """So many events of the running episode have happened."""

    count: int


@dataclass(frozen=True, slots=True)
class ScopeEnd(Goal):
    """The last event of a scope."""

    scope: int


@dataclass(frozen=True, slots=True)
class AfterScope(Goal):
    """The first event after a scope."""

    scope: int


@dataclass(frozen=True, slots=True)
class Iteration(Goal):
    """The first event in an iteration of one of these loops."""

    sites: frozenset[int]


@dataclass(frozen=True, slots=True)
class OtherSource(Goal):
    """The first event that is no accumulation from this node."""

    node: int
