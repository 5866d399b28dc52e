"""What the two processes tell one another: every message is one of these dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from microgpt_tui.protocol.breakpoints import LiveBreakpoint
from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.protocol.examination import Examine
from microgpt_tui.protocol.fields import Data
from microgpt_tui.protocol.goals import Goal
from microgpt_tui.protocol.stops import Stop

# -- from the debugger -----------------------------------------------------------------------


class Command(Data):
    """Something for the script's process to do."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Start(Command):
    """The first message: what to run, and until when."""

    script: str
    args: tuple[str, ...]
    overrides: dict[str, str]
    goal: Goal
    checkpoints: str = ""
    """Where copies of the process connect to; empty for a run without checkpoints."""
    lifeline: int = -1
    """The descriptor that ends the process with the debugger."""
    examine: Examine | None = None
    module: str = ""
    """The module to run as the script, as ``python -m`` does."""


@dataclass(frozen=True, slots=True)
class Wake(Command):
    """To a checkpoint: let a copy of it run on."""

    goal: Goal
    stdout: str
    stderr: str
    """Files for its output."""
    leave: tuple[int, ...] = ()
    """Episodes before which it leaves a checkpoint itself."""
    breakpoints: tuple[LiveBreakpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Resume(Command):
    """Go on until the goal is met or a breakpoint is hit."""

    goal: Goal
    breakpoints: tuple[LiveBreakpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Quit(Command):
    """End now."""


@dataclass(frozen=True, slots=True)
class Evaluate(Command):
    """The value of an expression where the script waits: answered by ``Evaluated``."""

    text: str


@dataclass(frozen=True, slots=True)
class Split(Command):
    """Fork where the script waits; the copy connects (``Awake``): answered by ``Splitted``, in the copy too."""

    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Belong(Command):
    """To a copy: from here on it is a run of its own. Answered by ``Belongs``."""

    run: int


@dataclass(frozen=True, slots=True)
class Execute(Command):
    """Execute a statement where the script waits: answered by ``Executed``."""

    text: str


@dataclass(frozen=True, slots=True)
class SetNumber(Command):
    """Give a node another number: answered by ``NumberSet``."""

    node: int
    value: float


@dataclass(frozen=True, slots=True)
class Operate(Command):
    """The script's own operation on other numbers: answered by ``Operated``."""

    operation: str
    """The method's name without underscores."""
    points: tuple[tuple[float, ...], ...]
    """Operands: what each result is made from."""
    plain: tuple[float, ...] = ()
    """Further arguments that are no nodes."""


# -- answers ---------------------------------------------------------------------------------


class Answer(Data):
    """What a question is answered with."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Failed(Answer):
    """It cannot be answered: why."""

    error: str


@dataclass(frozen=True, slots=True)
class Evaluated(Answer):
    """A value as data: ``{"node": number, "data": .., "grad": ..}``, ``{"list": [..], "length": ..}``,
    ``{"dict": [[key, value], ..], "length": ..}`` or ``{"text": .., "number": ..}``."""

    value: dict[str, Any]
    line: int


@dataclass(frozen=True, slots=True)
class NumberSet(Answer):
    """What the node's number was and is; a NaN or an infinity as text."""

    old: float | bool | str
    new: float | bool | str


@dataclass(frozen=True, slots=True)
class Executed(Answer):
    """It was, at this line; so many numbers of nodes are others since."""

    line: int
    changed: int


@dataclass(frozen=True, slots=True)
class Splitted(Answer):
    """There are two of the process now; this is one of them."""

    pid: int


@dataclass(frozen=True, slots=True)
class Belongs(Answer):
    """It is."""


@dataclass(frozen=True, slots=True)
class Operated(Answer):
    """The result of each point; None where there is none."""

    values: tuple[float | None, ...]


# -- from the script -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Site(Data):
    """A place in the source. Lines count from 1, columns from 0 (in characters)."""

    number: int
    kind: SiteKind
    file: int
    line: int
    column: int
    end_line: int
    end_column: int
    name: str = ""
    """Function, loop variable, operation or variable, after ``kind``."""
    statement: int = -1
    """The site of the statement around an expression."""
    names: tuple[str, ...] = ()
    """UPDATE: what the recorded numbers are called. CREATE: the plain operands' names."""


@dataclass(frozen=True, slots=True)
class ScriptRead(Data):
    """The script as it was rewritten: see ``trace.Program``."""

    files: tuple[tuple[str, str], ...]
    sites: tuple[Site | None, ...]
    class_name: str
    data_name: str
    grad_name: str
    train_sites: tuple[int, ...]
    sample_sites: tuple[int, ...]
    ordered_children: bool


@dataclass(frozen=True, slots=True)
class SetupEnded(Data):
    """What the setup has made: the numbers of the nodes that live on, and the parameters among them."""

    kept: tuple[int, ...]
    matrices: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    """(name, shape, nodes), row-major."""
    namespace: dict[str, Any]
    total_steps: int | None


@dataclass(frozen=True, slots=True)
class EpisodeSummary(Data):
    """The running episode in numbers that cost nothing to know."""

    index: int
    kind: str
    """``setup``, ``step``, ``sample`` or ``other``."""
    number: int
    """Of a training step or a sample, from 1."""
    loss: float | None
    """The sum of what ``backward`` was called on."""
    seconds: float
    cpu: float
    first_node: int


@dataclass(frozen=True, slots=True)
class Hits(Data):
    """What breakpoints have hit and log points have said since the last message."""

    counts: tuple[tuple[int, int], ...] = ()
    """(number, hits)."""
    logs: tuple[tuple[int, str, int, int], ...] = ()
    """(number, text, episode, event)."""


@dataclass(frozen=True, slots=True)
class EpisodeBegan(Data):
    """The parameters as they stood then, in the blobs: goes before its events."""

    summary: EpisodeSummary


@dataclass(frozen=True, slots=True)
class MomentsRead(Data):
    """The optimizer's numbers as they are after the newest event that was sent, in the blobs."""

    summary: EpisodeSummary


@dataclass(frozen=True, slots=True)
class EventsRecorded(Data):
    """More columns of the running episode, in the blobs."""

    summary: EpisodeSummary
    complete: bool
    """The episode is over."""
    extras: dict[str, Any]
    """What is no column of numbers: see ``Trace.extend``."""


@dataclass(frozen=True, slots=True)
class EpisodeEnded(Data):
    """An episode is over. Its blobs: the parameters after it, and their gradients."""

    summary: EpisodeSummary
    whole: bool
    """Its events have been sent."""
    losses: tuple[float, ...]
    """What ``backward`` was called on, in order."""
    events: tuple[int, ...] = ()
    """How many of each kind there were, where counting was asked for."""
    edges: int = 0
    """How many operands, where counting was asked for."""
    audits: int = 0
    """How many running sums of gradients were compared with the node's own grad."""
    audit_faults: tuple[tuple[int, float, float], ...] = ()
    """(node, running sum, its own grad) where they differed."""
    hits: Hits = Hits()
    printed: int = -1
    """Bytes of output by then."""


@dataclass(frozen=True, slots=True)
class Halted(Data):
    """The script has heard a pause; what it has recorded is on its way."""

    site: int
    """The statement where it is, or -1."""


@dataclass(frozen=True, slots=True)
class Stopped(Data):
    """The script waits, or is over."""

    stop: Stop
    hits: Hits = Hits()


@dataclass(frozen=True, slots=True)
class Asleep(Data):
    """The first message of a checkpoint: it stands at the beginning of this episode."""

    pid: int
    run: int
    index: int
    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class Awake(Data):
    """The first message of a copy that was woken."""

    pid: int


@dataclass(frozen=True, slots=True)
class CannotSleep(Data):
    """No checkpoint can be made here: why."""

    reason: str
    index: int


# -- from a script that is only observed -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class LossSeen(Data):
    """What ``backward`` was called on."""

    value: float


@dataclass(frozen=True, slots=True)
class ParametersSeen(Data):
    """The parameters after a training step, in the blobs."""

    step: int
