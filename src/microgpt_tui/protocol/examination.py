"""What a step is examined for in a fork of the script's process,
and what was found: lines of a file between the two."""

from __future__ import annotations

from dataclasses import dataclass

from microgpt_tui.protocol.fields import Data


@dataclass(frozen=True, slots=True)
class Examine(Data):
    """Which training step is examined, from its beginning; 0: a script without a training loop, from its first line."""

    step: int
    path: str
    """The file that takes the answers, a line each."""
    per_matrix: int = 20
    """Parameters of each matrix that are perturbed one by one."""
    what: str = ""
    """Only functions and matrices with this in their names; empty for all."""


class Examination(Data):
    """A line of the answer."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Deviation(Data):
    """One derivative that is not what differences say."""

    of: str
    """Operand or parameter."""
    found: float
    expected: float
    at: str = ""
    """The call, with its numbers."""
    guess: str = ""
    """What kind of mistake makes this number."""


@dataclass(frozen=True, slots=True)
class FunctionTested(Examination):
    """A function or method that makes nodes, tried on detached nodes with the operands of this step."""

    name: str
    file: int
    line: int
    operation: bool
    """Its result hangs on its operands directly: it has a derivative of its own."""
    calls: int
    """Calls in the step."""
    compared: int
    """Derivatives that were compared."""
    wrong: int = 0
    kinks: int = 0
    """Points where the slopes on both sides differ; the derivative has to lie between them."""
    untested: str = ""
    """Why derivatives were left out."""
    deviation: Deviation | None = None
    at_kink: str = ""
    """The first kink: where, both slopes and the derivative that the script has."""
    at_zero: str = ""
    """The kink that it has at 0, where no call of the step was at one."""
    witnessed: int = 0
    """Of those compared so many by forward mode too: dual numbers through the function's own code."""


@dataclass(frozen=True, slots=True)
class MatrixTested(Examination):
    """Parameters perturbed, the loss recomputed by the step's own code, against their ``.grad``."""

    name: str
    size: int
    compared: int
    """Parameters perturbed one by one."""
    wrong: int = 0
    together: bool = False
    """All of them were moved at once along a direction by chance, too, and agree."""
    untested: str = ""
    deviation: Deviation | None = None
    zeros: int = 0
    """Of those that are wrong so many have no gradient at all."""
    stale: int = 0
    """Of those that are wrong so many are right but for what the gradient held when the step began."""


@dataclass(frozen=True, slots=True)
class PassTested(Examination):
    """The script's pass run over a small graph whose nodes are used at several depths, made by its own operation."""

    operation: str
    compared: int
    """Gradients that were compared with another pass over that graph."""
    wrong: int = 0
    untested: str = ""
    deviation: Deviation | None = None


@dataclass(frozen=True, slots=True)
class ForwardRun(Examination):
    """The step's forward pass run again without a change."""

    losses: tuple[float, ...]
    """One a backward pass."""
    reproducible: bool
    pass_compared: int = 0
    """Gradients of parameters that were compared with another pass over the same graph."""
    pass_wrong: int = 0
    deviation: Deviation | None = None
    untested: str = ""
    rounds: int = 1
    """Groups of passes with updates of parameters between them; parameters are moved for the last."""
    last_round: int = 1
    """The first pass of the last of them."""


@dataclass(frozen=True, slots=True)
class Progress(Examination):
    """How far it is."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Took(Examination):
    """Seconds of processor time that a part has taken, its forks included."""

    part: str
    seconds: float


@dataclass(frozen=True, slots=True)
class NotExamined(Examination):
    """A part could not be done."""

    part: str
    why: str


@dataclass(frozen=True, slots=True)
class Examined(Examination):
    """The last line."""
