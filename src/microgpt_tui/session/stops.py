"""Why the script is paused, or how it ended: one clear sentence, and what to do about it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from microgpt_tui.protocol.stops import (
    AtBreakpoints,
    Exited,
    Finished,
    GoalMet,
    Interrupted,
    Killed,
    Paused,
    Raised,
    RecordingEnds,
    Refused,
    Replaced,
    StepsOver,
    Stop,
    Withheld,
)
from microgpt_tui.session.history import History
from microgpt_tui.trace.trace import Program, Trace

SIGNALS = {
    signal.SIGKILL: "killed by SIGKILL: by the person, or by the system because memory ran out",
    signal.SIGTERM: "ended by SIGTERM",
    signal.SIGINT: "interrupted by SIGINT",
    signal.SIGSEGV: "crashed with SIGSEGV: Python's own stack overflowed, or an extension failed",
    signal.SIGABRT: "aborted with SIGABRT",
    signal.SIGXCPU: "ended by SIGXCPU: its CPU time is used up",
}
_KEPT = "What was recorded before stays; `restart` begins anew with the same breakpoints."


@dataclass(frozen=True, slots=True)
class Sentence:
    """A stop in words."""

    text: str
    remedy: str = ""
    lines: tuple[str, ...] = ()
    """A traceback of the script's own lines, outermost first."""

    def __str__(self) -> str:
        return "\n".join(p for p in (self.text, *self.lines, self.remedy) if p)


def explain(stop: Stop | None, history: History) -> Sentence:
    """The sentence for a stop of the script; for None: it runs."""
    return _SENTENCES[type(stop)](stop, history) if stop is not None else Sentence("running")


def _break(stop: AtBreakpoints, history: History) -> Sentence:
    if stop.failures:
        number, message = stop.failures[0]
        return Sentence(
            f"the condition of breakpoint {number} failed: {message}",
            f"It is switched off; mend it and `enable {number}`.",
        )
    if stop.numbers == (0,):
        newest = history.newest
        later = len(newest) - 1 - stop.event if newest is not None and stop.event >= 0 else 0
        ran_on = f"; it showed {later:,} events later, and there the script waits" if later else ""
        remedy = "`rootcause` tells where it comes from; `nan allow COND` expects it."
        return Sentence(f"a NaN or an infinity was made here{ran_on}", remedy)
    numbers, texts = stop.numbers, stop.texts
    names = [f"{n} ({t})" for n, t in zip(numbers, texts, strict=False)] or [str(n) for n in numbers]
    return Sentence(("breakpoint " if len(names) == 1 else "breakpoints ") + ", ".join(names))


def _exception(stop: Raised, history: History) -> Sentence:
    program = history.program
    lines = traceback_lines(stop, program)
    error = stop.error
    text = f"{error}: {stop.message}" if stop.message else error
    place = _place(stop, program)
    if error == "RecursionError":
        return _recursion(stop, history, lines)
    if error == "MemoryError":
        remedy = "Fewer layers, a shorter block or a smaller batch make a smaller graph."
        return Sentence(f"out of memory{place}: {text}", remedy, lines)
    if stop.operation and error in ("ValueError", "OverflowError", "ZeroDivisionError"):
        remedy = "`rootcause` follows the operands back to where they went wrong."
        return Sentence(f"{text} in {stop.operation}{place}", remedy, lines)
    return Sentence(f"{text}{place}", "", lines)


def _recursion(stop: Raised, history: History, lines: tuple[str, ...]) -> Sentence:
    name = stop.frames[-1][2] if stop.frames else "a function"
    newest = history.newest
    longest = longest_chain(newest) if newest is not None and len(newest) else 0
    reason = f"RecursionError: {name} called itself {stop.depth:,} levels deep"
    if longest > stop.depth // 2:
        reason += f", because the longest chain of operations in this graph has {longest:,} nodes"
    remedy = (
        f"Put sys.setrecursionlimit({max(10_000, 2 * longest):,}) at the head of the script, or write {name} with a "
        "list of nodes still to visit instead of a call for each."
    )
    return Sentence(reason, remedy, lines)


def longest_chain(trace: Trace) -> int:
    """Nodes on the longest path through an episode's graph: how deep a recursive walk must go."""
    first, child, starts = trace.first_node, trace.child, trace.child_start
    ends = [*starts[1:], len(child)]
    depth = [0] * len(starts)
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        deepest = 0
        for c in child[start:end]:
            if c >= first and depth[c - first] > deepest:
                deepest = depth[c - first]
        depth[i] = deepest + 1
    return max(depth, default=0)


def _exit(stop: Exited, history: History) -> Sentence:
    text = f"the script left by {stop.how}({stop.status})" + (f" on line {stop.line}" if stop.line else "")
    return Sentence(text, "It skips exit handlers and buffered output." if stop.how == "os._exit" else "")


def _killed(stop: Killed, history: History) -> Sentence:
    status = stop.status
    if status is None or status >= 0:
        return Sentence(f"the script's process is gone, with exit status {status}", _KEPT)
    try:
        number = signal.Signals(-status)
    except ValueError:
        return Sentence(f"the script was ended by signal {-status}", _KEPT)
    return Sentence(f"the script was {SIGNALS.get(number, f'ended by {number.name}')}", _KEPT)


_SENTENCES: dict[type[Stop], Callable[[Any, History], Sentence]] = {
    GoalMet: lambda stop, history: Sentence("paused after a step"),
    StepsOver: lambda stop, history: Sentence("paused behind the training steps that were asked for"),
    Paused: lambda stop, history: Sentence("paused on request"),
    AtBreakpoints: _break,
    Finished: lambda stop, history: Sentence("the script has ended with exit status 0"),
    Exited: _exit,
    Replaced: lambda stop, history: Sentence(
        f"the script has become another program, {stop.program}" + (f", on line {stop.line}" if stop.line else ""),
        "That program runs when the debugger lets go; nothing of it is recorded.",
    ),
    Raised: _exception,
    Interrupted: lambda stop, history: Sentence(f"the script was {SIGNALS[signal.SIGINT]}"),
    Killed: _killed,
    Withheld: lambda stop, history: Sentence(withheld(stop)),
    Refused: lambda stop, history: Sentence(stop.message),
    RecordingEnds: lambda stop, history: Sentence(
        "the recording ends here", "What comes after needs the script itself."
    ),
}


def withheld(stop: Withheld) -> str:
    """Why a run that is not the script's first goes no further."""
    line = f"line {stop.line} would " if stop.line else "it would "
    return f"a step that is run again touches nothing of yours: {line}{stop.what} {stop.target}, so it is stopped there"


def _place(stop: Raised, program: Program) -> str:
    if not stop.frames:
        return ""
    file, line, _ = stop.frames[-1]
    return f", {program.files[file][0].rpartition('/')[2]}:{line}"


def traceback_lines(stop: Raised, program: Program, most: int = 12) -> tuple[str, ...]:
    """The script's own lines of a traceback, outermost first; the middle of a long one is left out."""
    shown = []
    left_out = max(0, len(stop.frames) - most)
    for i, (file, line, name) in enumerate(stop.frames):
        if left_out and most // 2 <= i < most // 2 + left_out:
            if i == most // 2:
                shown.append(f"  ... {stop.depth - most} more levels ...")
            continue
        path = program.files[file][0].rpartition("/")[2]
        shown.append(f"  {path}:{line} in {name}: {program.line_text(file, line).strip()}")
    return tuple(shown)
