"""The commands about breakpoints, watches, log points and displays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from microgpt_tui.session.breakpoints import NAN_NUMBER, Breakpoint
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.looking import displayed
from microgpt_tui.session.result import CommandError, Handler, Result
from microgpt_tui.trace.breakpoints import parse
from microgpt_tui.trace.watches import expression

# -- breakpoints -----------------------------------------------------------------------------


def breaking(temporary: bool) -> Handler:
    def run(debugger: Debugger, argument: str) -> Result:
        program = debugger.history.program
        text, ignore = _option(argument, "ignore")
        place = parse(text, program, line=debugger.line_here())
        made = debugger.breakpoints.add(place, program, temporary=temporary, ignore=ignore, since=debugger.now)
        return _of_breakpoint(debugger, made)

    return run


def _option(text: str, word: str) -> tuple[str, int]:
    """``... ignore 3`` at the end."""
    head, sign, tail = text.rpartition(f" {word} ")
    return (head.strip(), int(tail)) if sign and tail.strip().isdigit() else (text, 0)


def _of_breakpoint(debugger: Debugger, b: Breakpoint) -> Result:
    return Result(b.describe(debugger.breakpoints.counted(b)), {"breakpoint": _as_data(debugger, b)})


def _as_data(debugger: Debugger, b: Breakpoint) -> dict[str, Any]:
    return {
        "number": b.number, "text": b.text, "enabled": b.enabled, "temporary": b.temporary, "ignore": b.ignore,
        "hits": debugger.breakpoints.counted(b), "log": b.log, "failure": b.failure,
    }  # fmt: skip


def log_point(debugger: Debugger, argument: str) -> Result:
    quote = next((c for c in argument if c in "\"'"), "")
    place_text, _, rest = argument.partition(quote) if quote else (argument, "", "")
    text, closing, after = rest.rpartition(quote) if quote else ("", "", "")
    if not closing:
        raise CommandError('write what to say in quotes: log op:exp "{name} {data}" if data > 5')
    program = debugger.history.program
    place = parse(f"{place_text.strip()} {after.strip()}".strip(), program, line=debugger.line_here())
    made = debugger.breakpoints.add(place, program, log=text, since=debugger.now)
    return _of_breakpoint(debugger, made)


def list_all(debugger: Debugger, argument: str) -> Result:
    rows = [b.describe(debugger.breakpoints.counted(b)) for b in debugger.breakpoints]
    rows += [f"     expected: {a}" for a in debugger.breakpoints.allowed]
    return Result("\n".join(rows), {"breakpoints": [_as_data(debugger, b) for b in debugger.breakpoints]})


def _numbers(debugger: Debugger, argument: str) -> list[int]:
    if argument in ("", "all", "*"):
        return [b.number for b in debugger.breakpoints if b.number != NAN_NUMBER]
    try:
        return [int(word) for word in argument.replace(",", " ").split()]
    except ValueError:
        raise CommandError(f"“{argument}”: give numbers of breakpoints; `breakpoints` lists them") from None


def for_each(change: Callable[[Debugger, int], None]) -> Handler:
    def run(debugger: Debugger, argument: str) -> Result:
        for number in _numbers(debugger, argument):
            change(debugger, number)
        return list_all(debugger, "")

    return run


def ignore(debugger: Debugger, argument: str) -> Result:
    number, _, count = argument.partition(" ")
    if not number.isdigit() or not count.strip().isdigit():
        raise CommandError("ignore NUMBER COUNT: pass by so many hits, counted from here")
    found_ = debugger.breakpoints.get(int(number))
    found_.ignore, found_.since = int(count), debugger.now
    found_.live_hits.clear()
    debugger.breakpoints.changed()
    return _of_breakpoint(debugger, found_)


def nan(debugger: Debugger, argument: str) -> Result:
    word, _, rest = argument.partition(" ")
    breakpoints = debugger.breakpoints
    if word == "allow" and rest:
        breakpoints.allow(rest.strip(), debugger.history.program)
    elif word in ("on", "off"):
        breakpoints.enable(NAN_NUMBER, word == "on")
    elif word:
        raise CommandError("nan on, nan off, or nan allow CONDITION, as nan allow op == 'log'")
    return _of_breakpoint(debugger, breakpoints.get(NAN_NUMBER))


def watch(debugger: Debugger, argument: str) -> Result:
    if not argument:
        raise CommandError("watch what? watch layer0.attn_wq[0][0], watch loss, watch q[3].grad")
    made = debugger.breakpoints.watch(argument, debugger.history.program, since=debugger.now)
    return _of_breakpoint(debugger, made)


def display(debugger: Debugger, argument: str) -> Result:
    if argument:
        debugger.displays.add(expression(argument, debugger.history.program))
    values = displayed(debugger)
    return Result("\n".join(v.line for v in values),
                  {"displays": [{"expression": v.text, "value": v.value} for v in values]})  # fmt: skip


def undisplay(debugger: Debugger, argument: str) -> Result:
    debugger.displays.remove(argument)
    return display(debugger, "")


def save(debugger: Debugger, argument: str) -> Result:
    if not argument:
        raise CommandError("save to which file? save my.breakpoints")
    debugger.breakpoints.save(Path(argument))
    return Result(f"saved to {argument}", {"file": argument})


def load(debugger: Debugger, argument: str) -> Result:
    if not argument:
        raise CommandError("load which file? One that `save FILE` has written")
    refused = debugger.breakpoints.load(Path(argument), debugger.history.program)
    listed = list_all(debugger, "")
    return Result("\n".join([*(f"not set: {r}" for r in refused), listed.text]), {**listed.data, "refused": refused})
