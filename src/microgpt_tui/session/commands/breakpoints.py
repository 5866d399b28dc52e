"""Breakpoints, watches and log points: set, listed, switched, kept in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from microgpt_tui.protocol import moments
from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.protocol.moments import MomentError, MomentName
from microgpt_tui.session import breakpoint_files
from microgpt_tui.session.breakpoints import NAN_NUMBER, Breakpoint
from microgpt_tui.session.commands.command import Command, CommandError, Result, Touches
from microgpt_tui.session.commands.values import names
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.trace.breakpoints import Place, parse


def toggle(debugger: Debugger, place: tuple[int, int] | None) -> Result:
    """Set one on a line of a file, or remove those that are there."""
    if place is None:
        raise CommandError("no line here to break on: break 120, break op:exp, break softmax")
    is_set = debugger.breakpoints.toggle_line(*place, debugger.history.program, debugger.now)
    return Result(f"breakpoint {'set on' if is_set else 'removed from'} line {place[1]}",
                  _list(debugger, "").data)  # fmt: skip


def _break(debugger: Debugger, argument: str) -> Result:
    return _set(debugger, argument) if argument else toggle(debugger, debugger.line_here())


def _tbreak(debugger: Debugger, argument: str) -> Result:
    return _set(debugger, argument, temporary=True)


def _set(debugger: Debugger, argument: str, *, temporary: bool = False) -> Result:
    program = debugger.history.program
    text, ignore = _option(argument, "ignore")
    place = _place(debugger, text)
    made = debugger.breakpoints.add(place, program, temporary=temporary, ignore=ignore, since=debugger.now)
    return _of_breakpoint(debugger, made)


def _place(debugger: Debugger, text: str) -> Place:
    """A place, or a moment of a step or sample that one can wait for: its beginning, or its loss."""
    where, sign, test = text.partition(" if ")
    try:
        moment = moments.parse(where) if ":" in where else MomentName()
    except MomentError:
        moment = MomentName()
    if moment.kind in ("step", "sample") and moment.at in ("", "start", "loss"):
        test = f"{moment.kind} == {moment.number}" + (f" and ({test})" if sign else "")
        text = f"loss if {test}" if moment.at == "loss" else f"{moment.kind}:{moment.number}{text[len(where) :]}"
    elif moment.kind:
        raise CommandError(f"what {moment} is shows only behind it: `goto {moment}` runs there; or break "
                           "step:3, 3:loss, phase:backward if step == 3")  # fmt: skip
    return parse(text, debugger.history.program, line=debugger.line_here())


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


def _log(debugger: Debugger, argument: str) -> Result:
    quote = next((c for c in argument if c in "\"'"), "")
    place_text, _, rest = argument.partition(quote) if quote else (argument, "", "")
    text, closing, after = rest.rpartition(quote) if quote else ("", "", "")
    if not closing:
        raise CommandError('write what to say in quotes: log op:exp "{name} {data}" if data > 5')
    program = debugger.history.program
    place = _place(debugger, f"{place_text.strip()} {after.strip()}".strip())
    made = debugger.breakpoints.add(place, program, log=text, since=debugger.now)
    return _of_breakpoint(debugger, made)


def _list(debugger: Debugger, argument: str) -> Result:
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


def _for_each(change: Callable[[Debugger, int], None]) -> Callable[[Debugger, str], Result]:
    def run(debugger: Debugger, argument: str) -> Result:
        for number in _numbers(debugger, argument):
            change(debugger, number)
        return _list(debugger, "")

    return run


def _ignore(debugger: Debugger, argument: str) -> Result:
    number, _, count = argument.partition(" ")
    if not number.isdigit() or not count.strip().isdigit():
        raise CommandError("ignore NUMBER COUNT: pass by so many hits, counted from here")
    found_ = debugger.breakpoints.get(int(number))
    found_.ignore, found_.since = int(count), debugger.now
    found_.live_hits.clear()
    debugger.breakpoints.changed()
    return _of_breakpoint(debugger, found_)


def _commands(debugger: Debugger, argument: str) -> Result:
    number, _, text = argument.partition(" ")
    if not number.isdigit():
        raise CommandError("commands NUMBER COMMAND; COMMAND, as commands 1 where; print q[:4]; none takes them away")
    found = debugger.breakpoints.get(int(number))
    if text.strip():
        found.commands = [] if text.strip() == "none" else [c.strip() for c in text.split(";") if c.strip()]
    return _of_breakpoint(debugger, found)


def _catch(debugger: Debugger, argument: str) -> Result:
    word, _, rest = argument.partition(" ")
    if word in ("exception", "exceptions", "raise", "throw"):
        return Result("an exception that ends the script always stops there: `rootcause` (K) follows it back")
    if word != "nan":
        raise CommandError("catch nan, or catch exception (which always stops)")
    return _nan(debugger, rest.strip() or "on")


GRAMMAR = """\
break 176                 a line; break other.py:12 of another file
break softmax             a function, each call of it
break op:exp              each result of an operation; op:mul, op:relu, an own one by its name
break li=0                a loop iteration by its variable; pos:3 by token position
break var:probs           each time a variable is bound; param:wte each change of a matrix, param:wte[0][3] of a number
break phase:backward      a phase's beginning; step:3, sample:1, 3:loss
break loss < 2            a finished step's loss
break print:"step  10"    a printed line with that text
break nan                 a NaN or an infinity (number 0 is always there: nan off)

... if CONDITION          over what is recorded: data, grad, op, name, line, step, pos, phase, kind, loop variables,
                          with and, or, not, comparisons and arithmetic: break op:exp if data > 5 and pos == 2
... ignore N              pass by so many hits first
tbreak ...                once; log WHERE "TEXT {name} {data}" says it and goes on
commands 1 where; print q what is done when breakpoint 1 has stopped"""
"""Where one can break."""


def _nan(debugger: Debugger, argument: str) -> Result:
    word, _, rest = argument.partition(" ")
    breakpoints = debugger.breakpoints
    if word == "allow" and rest:
        breakpoints.allow(rest.strip(), debugger.history.program)
    elif word in ("on", "off"):
        breakpoints.enable(NAN_NUMBER, word == "on")
    elif word:
        raise CommandError("nan on, nan off, or nan allow CONDITION, as nan allow op == 'log'")
    return _of_breakpoint(debugger, breakpoints.get(NAN_NUMBER))


def _watch(debugger: Debugger, argument: str) -> Result:
    made = debugger.breakpoints.watch(argument, debugger.history.program, since=debugger.now)
    return _of_breakpoint(debugger, made)


def _save(debugger: Debugger, argument: str) -> Result:
    breakpoint_files.save(debugger.breakpoints, Path(argument))
    return Result(f"saved to {argument}", {"file": argument})


def _load(debugger: Debugger, argument: str) -> Result:
    refused = breakpoint_files.load(debugger.breakpoints, Path(argument), debugger.history.program)
    listed = _list(debugger, "")
    return Result("\n".join([*(f"not set: {r}" for r in refused), listed.text]), {**listed.data, "refused": refused})


def places(debugger: Debugger) -> Iterable[str]:
    """Where one can break, or what one can look for."""
    program = debugger.history.program
    sites = [s for s in program.sites if s is not None]
    ops = {f"op:{s.name}" for s in sites if s.kind in (SiteKind.CREATE, SiteKind.OPERATION)}
    scopes = {s.name for s in sites if s.kind is SiteKind.CALL}
    variables = {f"var:{s.name}" for s in sites if s.kind in (SiteKind.BIND, SiteKind.ELEMENT)}
    kinds = ["phase:", "step:", "sample:", "pos:", "loss", "print:", "nan", "if "]
    return kinds + sorted(ops | scopes | variables) + [f"param:{m.name}" for m in program.matrices]


def _known(debugger: Debugger) -> Iterable[str]:
    return [str(b.number) for b in debugger.breakpoints]


COMMANDS = (
    Command("break", "[WHERE] [if COND] [ignore N]",
            "A breakpoint on this line, on or off; or at a line, op:NAME, function, li=0, var:, param:, phase:, step:, "
            "pos:, loss < 2, print:TEXT, if COND", _break, aliases=("b",), choices=places, more=GRAMMAR),
    Command("tbreak", "[WHERE] [if COND]", "A breakpoint that goes when it is hit", _tbreak, choices=places,
            more=GRAMMAR),
    Command("commands", "NUMBER [COMMAND; ...]", "What to do when a breakpoint has stopped; none takes them away",
            _commands, choices=_known),
    Command("catch", "nan|exception", "Stop at the first NaN or infinity; exceptions always stop", _catch,
            choices=lambda d: ("nan", "exception")),
    Command("log", 'WHERE "TEXT" [if COND]', "A log point: say {name} {data} there and go on", _log, choices=places),
    Command("breakpoints", "", "The breakpoints", _list, aliases=("B",)),
    Command("delete", "[NUMBERS]", "Remove breakpoints; all without a number",
            _for_each(lambda d, n: d.breakpoints.delete(n)), choices=_known),
    Command("enable", "[NUMBERS]", "Switch breakpoints on; all without a number",
            _for_each(lambda d, n: d.breakpoints.enable(n)), choices=_known),
    Command("disable", "[NUMBERS]", "Switch breakpoints off; all without a number",
            _for_each(lambda d, n: d.breakpoints.enable(n, False)), choices=_known),
    Command("ignore", "NUMBER COUNT", "Pass by so many hits of a breakpoint first", _ignore, choices=_known),
    Command("nan", "[on|off|allow COND]", "Stop at the first NaN or infinity; expect some", _nan,
            choices=lambda debugger: ["on", "off", "allow "]),
    Command("watch", "EXPR", "Stop when the value changes; C goes to who changed it last", _watch, aliases=("W",),
            choices=names),
    Command("save", "FILE", "Write the breakpoints to a file", _save, touches=Touches.FILES),
    Command("load", "FILE", "Add the breakpoints of a file", _load, aliases=("restore",),
            touches=Touches.FILES),
)  # fmt: skip
