"""Why the script is paused, or how it ended: one clear sentence, and what to do about it."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any

from microgpt_tui.session.history import History, Stop
from microgpt_tui.trace.trace import Program, Trace

SIGNALS = {
    signal.SIGKILL: "killed by SIGKILL: by the person, or by the system because memory ran out",
    signal.SIGTERM: "ended by SIGTERM",
    signal.SIGINT: "interrupted by SIGINT",
    signal.SIGSEGV: "crashed with SIGSEGV: Python's own stack overflowed, or an extension failed",
    signal.SIGABRT: "aborted with SIGABRT",
    signal.SIGXCPU: "ended by SIGXCPU: its CPU time is used up",
}


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
    if stop is None:
        return Sentence("running")
    made = _SENTENCES.get(stop.reason)
    if made is None:
        return Sentence(f"paused: {stop.reason}")
    return made(stop.detail, history)


def _break(detail: dict[str, Any], history: History) -> Sentence:
    failures = dict(detail.get("failures") or [])
    if failures:
        number, message = next(iter(failures.items()))
        return Sentence(
            f"the condition of breakpoint {number} failed: {message}",
            f"It is switched off; mend it and `enable {number}`.",
        )
    numbers: list[int] = detail.get("numbers") or []
    texts: list[str] = detail.get("texts") or []
    if numbers == [0]:
        return Sentence(
            "a NaN or an infinity was made here", "`rootcause` tells where it comes from; `nan allow COND` expects it."
        )
    names = [f"{n} ({t})" for n, t in zip(numbers, texts, strict=False)] or [str(n) for n in numbers]
    return Sentence(("breakpoint " if len(names) == 1 else "breakpoints ") + ", ".join(names))


def _exception(detail: dict[str, Any], history: History) -> Sentence:
    program = history.program
    lines = traceback_lines(detail, program)
    error, message = str(detail.get("error")), str(detail.get("message"))
    text = f"{error}: {message}" if message else error
    place = _place(detail, program)
    if error == "RecursionError":
        return _recursion(detail, history, lines)
    if error == "MemoryError":
        remedy = "Fewer layers, a shorter block or a smaller batch make a smaller graph."
        return Sentence(f"out of memory{place}: {text}", remedy, lines)
    if detail.get("operation") and error in ("ValueError", "OverflowError", "ZeroDivisionError"):
        remedy = "`rootcause` follows the operands back to where they went wrong."
        return Sentence(f"{text} in {detail['operation']}{place}", remedy, lines)
    return Sentence(f"{text}{place}", "", lines)


def _recursion(detail: dict[str, Any], history: History, lines: tuple[str, ...]) -> Sentence:
    frames = detail.get("frames") or []
    name = frames[-1][2] if frames else "a function"
    depth = int(detail.get("depth") or 0)
    newest = history.newest
    longest = longest_chain(newest) if newest is not None and len(newest) else 0
    reason = f"RecursionError: {name} called itself {depth:,} levels deep"
    if longest > depth // 2:
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


def _exit(detail: dict[str, Any], history: History) -> Sentence:
    how, status, line = detail.get("how", "sys.exit"), detail.get("status"), detail.get("line")
    where = f" on line {line}" if line else ""
    text = f"the script left by {how}({status}){where}"
    if how == "os._exit":
        return Sentence(text, "It skips exit handlers and buffered output; `continue` lets it go.")
    return Sentence(text)


def _end(detail: dict[str, Any], history: History) -> Sentence:
    return Sentence("the script has ended with exit status 0")


def _signal(detail: dict[str, Any], history: History) -> Sentence:
    return Sentence(f"the script was {SIGNALS[signal.SIGINT]}")


def _killed(detail: dict[str, Any], history: History) -> Sentence:
    status = detail.get("status")
    if isinstance(status, int) and status < 0:
        try:
            number = signal.Signals(-status)
        except ValueError:
            return Sentence(f"the script was ended by signal {-status}", _KEPT)
        return Sentence(f"the script was {SIGNALS.get(number, f'ended by {number.name}')}", _KEPT)
    return Sentence(f"the script's process is gone, with exit status {status}", _KEPT)


_KEPT = "What was recorded before stays; `restart` begins anew with the same breakpoints."


def _step(detail: dict[str, Any], history: History) -> Sentence:
    return Sentence("paused after a step")


def _pause(detail: dict[str, Any], history: History) -> Sentence:
    return Sentence("paused on request")


def _refused(detail: dict[str, Any], history: History) -> Sentence:
    return Sentence(str(detail.get("message", "the script cannot be debugged")))


_SENTENCES = {
    "break": _break, "exception": _exception, "exit": _exit, "end": _end, "signal": _signal, "killed": _killed,
    "step": _step, "pause": _pause, "refused": _refused,
}  # fmt: skip


def _place(detail: dict[str, Any], program: Program) -> str:
    frames = detail.get("frames") or []
    if not frames:
        return ""
    file, line, _ = frames[-1]
    path = program.files[file][0].rpartition("/")[2] if file < len(program.files) else "?"
    return f", {path}:{line}"


def traceback_lines(detail: dict[str, Any], program: Program, most: int = 12) -> tuple[str, ...]:
    """The script's own lines of a traceback, outermost first; the middle of a long one is left out."""
    frames = detail.get("frames") or []
    shown = []
    left_out = len(frames) - most if len(frames) > most else 0
    for i, (file, line, name) in enumerate(frames):
        if left_out and most // 2 <= i < most // 2 + left_out:
            if i == most // 2:
                shown.append(f"  ... {int(detail.get('depth') or len(frames)) - most} more levels ...")
            continue
        path = program.files[file][0].rpartition("/")[2]
        shown.append(f"  {path}:{line} in {name}: {program.line_text(file, line).strip()}")
    return tuple(shown)
