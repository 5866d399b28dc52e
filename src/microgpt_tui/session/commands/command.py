"""What a command is, what it answers, and how it says that it cannot be done."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from microgpt_tui.session.debugger import Debugger
from microgpt_tui.trace.references import NotHere

Subject = TypeVar("Subject")
"""What a command acts on: the debugger, or for those that only a screen has, the app."""


class CommandError(ValueError):
    """A command that cannot be done; the message says why and what would do."""


@dataclass(slots=True)
class Result:
    """What a command answers. ``text`` is for a person, ``data`` (fit for JSON) for a program."""

    text: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    status: int = 0
    """Exit status for a CI script: 1 where what was asked about is wrong, such as a failed gradient check."""
    ends: bool = False
    """The session is to end."""

    def __post_init__(self) -> None:
        self.data = plain(self.data)


def plain(value: Any) -> Any:
    """A value as JSON takes it: NaN and infinities are texts, tuples are lists."""
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value


class Effect(Enum):
    """What a command does to the script."""

    ASKS = "answers while the script waits"
    STEPS = "moves the cursor; the script runs briefly, and further steps wait for it"
    RUNS = "moves the cursor; the script runs until something stops it"
    ALWAYS = "answers while the script runs too"


class Touches(Enum):
    """What a command reaches beyond the record: a read-only session refuses it."""

    SCRIPT = "evaluates or changes something in the script"
    FILES = "reads or writes a file"
    PICTURES = "writes a picture"


Moves = Iterator[None]
"""A command that moves, under way: each ``next`` goes as far as the script has to be waited for."""
Choices = Callable[[Debugger], Iterable[str]]


def _nothing(debugger: Debugger) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Command(Generic[Subject]):
    """One word of the language; the one place that says what it is called, takes, means and does."""

    name: str
    argument: str
    """As it is written: ``WHERE``, ``[N]`` where it may be left out, empty for none."""
    help: str
    """A sentence without its full stop."""
    run: Callable[[Subject, str], Result | Moves | None]
    effect: Effect = Effect.ASKS
    aliases: tuple[str, ...] = ()
    choices: Choices = _nothing
    """What its argument can be, for completion."""
    touches: Touches | None = None
    more: str = ""
    """What ``help NAME`` says besides: how its argument is written."""

    @property
    def needs_argument(self) -> bool:
        """True when it does nothing without one."""
        return bool(self.argument) and not self.argument.startswith("[")

    @property
    def usage(self) -> str:
        """``goto WHERE``."""
        return f"{self.name} {self.argument}".strip()


@contextmanager
def faults() -> Iterator[None]:
    """What goes wrong inside is a CommandError."""
    try:
        yield
    except CommandError:
        raise
    except (ValueError, NotHere) as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}") from error


def lookup(word: str, *tables: Sequence[Command[Any]]) -> Command[Any]:
    """The command of that name or alias; else the one whose name begins so, the first table's before the next's.

    Raises CommandError.
    """
    for command in (c for table in tables for c in table):
        if word in (command.name, *command.aliases):
            return command
    for table in tables:
        begins = {n: c for c in table for n in (c.name, *c.aliases) if n.startswith(word)}
        if len({c.name for c in begins.values()}) == 1:
            return next(iter(begins.values()))
        if begins:
            raise CommandError(f"“{word}” could be {', '.join(sorted(begins))}")
    close = difflib.get_close_matches(word, names(*tables), 1)
    raise CommandError(f"no command “{word}”" + (f"; did you mean {close[0]}?" if close else "; see `help`"))


def names(*tables: Sequence[Command[Any]]) -> list[str]:
    """Every name and alias."""
    return [n for table in tables for c in table for n in (c.name, *c.aliases)]


def permit(debugger: Debugger, command: Command[Any]) -> None:
    """Raises CommandError for what a read-only session refuses."""
    if command.touches is not None and not permitted(debugger, command):
        raise CommandError(f"{command.name} {command.touches.value}: this session is read-only")


def permitted(debugger: Debugger, command: Command[Any]) -> bool:
    """False for what a read-only session refuses. A picture for somebody's browser is no file of ours."""
    launch = debugger.launch
    if command.touches is None or not launch.read_only:
        return True
    return command.touches is Touches.PICTURES and launch.in_browser


def count_of(argument: str) -> int:
    """How often: 1 without an argument. Raises CommandError."""
    if not argument:
        return 1
    try:
        count = int(argument.replace(",", "").replace("_", ""))
    except ValueError:
        raise CommandError(f"“{argument}” is no count: write a whole number, such as 10") from None
    if count < 1:
        raise CommandError("a count is 1 or more")
    return count
