"""Why the script is paused, or how it ended."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar

from microgpt_tui.protocol.fields import Data


@dataclass(frozen=True, slots=True)
class Stop(Data):
    """One of the classes below."""

    reason: ClassVar[str]
    over: ClassVar[bool] = False
    """True when the script has ended."""
    _: KW_ONLY
    status: int | None = None
    """The exit status of a script that is over; negative for a signal."""


@dataclass(frozen=True, slots=True)
class GoalMet(Stop):
    """The goal is met."""

    reason: ClassVar[str] = "step"


@dataclass(frozen=True, slots=True)
class StepsOver(Stop):
    """As many training steps are over as the goal allows."""

    reason: ClassVar[str] = "steps"


@dataclass(frozen=True, slots=True)
class Paused(Stop):
    """The person asked for it."""

    reason: ClassVar[str] = "pause"


@dataclass(frozen=True, slots=True)
class AtBreakpoints(Stop):
    """Breakpoints were hit, or the condition of one failed."""

    reason: ClassVar[str] = "break"
    numbers: tuple[int, ...]
    texts: tuple[str, ...] = ()
    """As one would write them: known to the debugger alone."""
    failures: tuple[tuple[int, str], ...] = ()
    """(number, message) of conditions that failed."""
    event: int = -1
    """Where in the record, when the script has run on before it was found; -1: the newest event."""


@dataclass(frozen=True, slots=True)
class Withheld(Stop):
    """A run that is not the script's first was about to touch something of the user's: it goes no further."""

    reason: ClassVar[str] = "withheld"
    what: str
    """The verb: ``write``, ``remove`` …"""
    target: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Finished(Stop):
    """The script ran to its end."""

    reason: ClassVar[str] = "end"
    over: ClassVar[bool] = True
    status: int | None = field(default=0, kw_only=True)


@dataclass(frozen=True, slots=True)
class Exited(Stop):
    """It left by ``sys.exit``, which has ended it, or by ``os._exit``, which it is about to call."""

    reason: ClassVar[str] = "exit"
    over: ClassVar[bool] = True
    how: str
    line: int = 0
    """Where, or 0."""


@dataclass(frozen=True, slots=True)
class Replaced(Stop):
    """It is about to become another program, by ``os.execv`` or one of its kin."""

    reason: ClassVar[str] = "exec"
    over: ClassVar[bool] = True
    program: str
    line: int = 0
    """Where, or 0."""


@dataclass(frozen=True, slots=True)
class Raised(Stop):
    """An exception that nobody caught."""

    reason: ClassVar[str] = "exception"
    over: ClassVar[bool] = True
    status: int | None = field(default=1, kw_only=True)
    error: str
    """The name of its class."""
    message: str
    frames: tuple[tuple[int, int, str], ...] = ()
    """(file, line, function) of the script's own, outermost first; of many the first and the last."""
    depth: int = 0
    """How many of them there were."""
    operation: str = ""
    """The method of the autograd class that raised."""
    operands: tuple[tuple[str, int], ...] = ()
    """(variable, node) in the frame that raised."""
    line: int = 0
    """Where that frame was, or 0."""


@dataclass(frozen=True, slots=True)
class Interrupted(Stop):
    """SIGINT ended it."""

    reason: ClassVar[str] = "signal"
    over: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Killed(Stop):
    """Its process is gone without a word."""

    reason: ClassVar[str] = "killed"
    over: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class RecordingEnds(Stop):
    """There is no script, only its recording, and here that ends."""

    reason: ClassVar[str] = "recording"
    over: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Refused(Stop):
    """It cannot be debugged; the message says why, where, and what to do."""

    reason: ClassVar[str] = "refused"
    over: ClassVar[bool] = True
    message: str
