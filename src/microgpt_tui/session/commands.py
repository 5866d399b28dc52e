"""The one command language: headless ``-c`` and the screen's ``:`` line say the same things.

``execute(debugger, text)`` does a command and never waits for the script: one that sends it on
gives a result whose text is made when it is read, after the caller has waited.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microgpt_tui.session import changing, stops
from microgpt_tui.session.breakpoints import NAN_NUMBER, Breakpoint
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.session.history import Stop
from microgpt_tui.session.looking import checked, diagnose, displayed, evaluated, found, shown
from microgpt_tui.trace.breakpoints import BreakpointError, parse
from microgpt_tui.trace.conditions import ConditionError
from microgpt_tui.trace.watches import NotHere, expression


class CommandError(ValueError):
    """A command that cannot be done; the message says why and what would do."""


class Result:
    """What a command answers. ``text`` is for a person, ``data`` for a program (JSON)."""

    def __init__(self, text: str = "", data: dict[str, Any] | None = None,
                 later: Callable[[], tuple[str, dict[str, Any]]] | None = None) -> None:  # fmt: skip
        self._text, self._data, self._later = text, data or {}, later

    @property
    def text(self) -> str:
        """In words; of a command that has sent the script on: where it stands now."""
        return self._later()[0] if self._later is not None else self._text

    @property
    def data(self) -> dict[str, Any]:
        """The same as data."""
        return self._later()[1] if self._later is not None else self._data


Handler = Callable[[Debugger, str], Result]


@dataclass(frozen=True, slots=True)
class Command:
    """One word of the language."""

    name: str
    argument: str
    help: str
    run: Handler
    aliases: tuple[str, ...] = ()


def execute(debugger: Debugger, text: str) -> Result:
    """Do one command. Raises CommandError (a ValueError) for one that cannot be done."""
    command, argument = parse_command(text)
    try:
        return command.run(debugger, argument)
    except (BreakpointError, ConditionError, NotHere, changing.NotPossible) as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}") from error


def parse_command(text: str) -> tuple[Command, str]:
    """The command and its argument; a beginning that only one command has will do. Raises CommandError."""
    text = text.strip().removeprefix(":").strip()
    word, _, argument = text.partition(" ")
    if not word:
        raise CommandError("type a command; `help` lists them")
    if word[0].isdigit():
        return BY_NAME["goto"], text
    command = BY_NAME.get(word)
    if command is None:
        begins = sorted({BY_NAME[n].name for n in BY_NAME if n.startswith(word)})
        if len(begins) == 1:
            command = BY_NAME[begins[0]]
        elif begins:
            raise CommandError(f"“{word}” could be {', '.join(begins)}")
        else:
            close = difflib.get_close_matches(word, BY_NAME, 1)
            raise CommandError(f"no command “{word}”" + (f"; did you mean {close[0]}?" if close else "; see `help`"))
    return command, argument.strip()


def complete(debugger: Debugger, text: str) -> list[str]:
    """What a beginning can become: commands, and for their arguments names of the script."""
    word, space, argument = text.lstrip().partition(" ")
    if not space:
        return sorted(n for n in BY_NAME if n.startswith(word))
    command = BY_NAME.get(word)
    if command is None:
        return []
    choices = _choices(debugger, command.name)
    last = argument.rpartition(" ")[2]
    head = text[: len(text) - len(last)]
    return [head + c for c in choices if c.startswith(last)][:50]


def _choices(debugger: Debugger, command: str) -> list[str]:
    program = debugger.history.program
    names = {s.name for s in program.sites if s is not None and s.name}
    if command in ("break", "tbreak", "log", "find"):
        ops = {f"op:{s.name}" for s in program.sites if s is not None and s.kind.name in ("CREATE", "OPERATION")}
        scopes = {s.name for s in program.sites if s is not None and s.kind.name == "CALL"}
        variables = {f"var:{s.name}" for s in program.sites if s is not None and s.kind.name in ("BIND", "ELEMENT")}
        kinds = ["phase:", "step:", "sample:", "pos:", "loss", "print:", "nan", "if "]
        return kinds + sorted(ops | scopes | variables) + [f"param:{m.name}" for m in program.matrices]
    if command in ("display", "watch", "print", "set"):
        return sorted({m.name for m in program.matrices} | {n for n in names if n.isidentifier()})
    if command in ("delete", "enable", "disable", "ignore"):
        return [str(b.number) for b in debugger.breakpoints]
    if command == "goto":
        return ["loss", "start", "end", "setup", "line ", "sample ", "step ", "bookmark "]
    return []


# -- where we are ----------------------------------------------------------------------------


def _moved(debugger: Debugger) -> Result:
    """The answer of a command that moves: where the cursor stands when somebody asks."""

    def later() -> tuple[str, dict[str, Any]]:
        return where(debugger)

    return Result(later=later)


def where(debugger: Debugger) -> tuple[str, dict[str, Any]]:
    """Where the cursor is and why, in words and as data."""
    if debugger.running:
        return "running", {"running": True}
    data: dict[str, Any] = {
        "running": False, "moment": debugger.name_of(debugger.moment), "episode": debugger.moment.episode,
        "event": debugger.moment.event, "notice": debugger.notice,
    }  # fmt: skip
    lines = []
    stop = debugger.history.stop
    hit = debugger.hit
    if hit is not None and hit[0] == debugger.moment:
        numbers = list(hit[1])
        detail = stop.detail if stop is not None and stop.reason == "break" and debugger.at_frontier else {}
        texts = [b.text for n in numbers for b in debugger.breakpoints if b.number == n]
        sentence = stops.explain(
            Stop("break", {"numbers": numbers, "texts": detail.get("texts") or texts,
                                 "failures": detail.get("failures") or []}), debugger.history)  # fmt: skip
        lines.append(str(sentence))
        data["breakpoints"] = numbers
    elif stop is not None and debugger.at_frontier:
        lines.append(str(stops.explain(stop, debugger.history)))
    if stop is not None:
        data["reason"] = "break" if hit is not None and hit[0] == debugger.moment else stop.reason
    if debugger.notice:
        lines.append(debugger.notice)
    text, more = shown(debugger)
    lines.append(text)
    data.update(more)
    said = debugger.take_logs()
    if said:
        data["logs"] = [{"number": n, "text": t, "moment": debugger.name_of(m)} for n, t, m in said]
        lines = [f"{debugger.name_of(m)}  {t}" for _, t, m in said] + lines
    values = displayed(debugger)
    if values:
        data["displays"] = [{"expression": v.text, "value": v.value} for v in values]
        lines += [v.line for v in values]
    return "\n".join(line for line in lines if line), data


# -- stepping --------------------------------------------------------------------------------


def _step(name: str) -> Handler:
    """A debugger's method, as often as the argument says: live steps are waited for."""

    def run(debugger: Debugger, argument: str) -> Result:
        count = _count(argument)
        for i in range(count):
            if not getattr(debugger, name)():
                break
            if debugger.running and i < count - 1:
                debugger.wait()
                if debugger.over or debugger.hit is not None:
                    break
        return _moved(debugger)

    return run


def _turn(name: str) -> Handler:
    def run(debugger: Debugger, argument: str) -> Result:
        loop, _, rest = argument.partition(" ")
        if loop and not loop.isdigit():
            method, back = getattr(debugger, name), rest.startswith("-")
            if back:
                method = debugger.previous_turn
            for _ in range(_count(rest.lstrip("-"))):
                if not method(loop):
                    break
                debugger.wait()
            return _moved(debugger)
        return _step(name)(debugger, argument)

    return run


def _count(argument: str) -> int:
    if not argument:
        return 1
    try:
        count = int(argument.replace(",", "").replace("_", ""))
    except ValueError:
        raise CommandError(f"“{argument}” is no count: write a whole number, such as 10") from None
    if count < 1:
        raise CommandError("a count is 1 or more")
    return count


def _goto(debugger: Debugger, argument: str) -> Result:
    words = argument.split()
    trace = debugger.trace
    if not words or trace is None:
        raise CommandError("goto where? STEP[:EVENT], :EVENT, sample N, setup, line N, loss, start, end, bookmark NAME")
    if words[0] == "bookmark":
        debugger.jump(_bookmarked(debugger, " ".join(words[1:])))
        return _moved(debugger)
    if words[0] == "line":
        place = parse(" ".join(words[1:]), trace.program)
        hit = debugger.first_of(place, trace, debugger.moment.event)
        if hit is None:
            raise CommandError(f"line {' '.join(words[1:])} is not reached in this episode, as far as it is recorded")
        debugger.goto(hit)
        return _moved(debugger)
    if words[0] in ("start", "end") and len(words) == 1:
        debugger.goto(0 if words[0] == "start" else len(trace) - 1)
        return _moved(debugger)
    if words[0] == "loss":
        node = trace.loss_node()
        if node < 0:
            raise CommandError("no backward pass in this episode yet: `phase` goes on to it")
        debugger.goto(trace.born_at(node))
        return _moved(debugger)
    return _goto_moment(debugger, argument)


def _goto_moment(debugger: Debugger, argument: str) -> Result:
    place, colon, number = argument.replace(",", "").partition(":")
    event = 0
    if colon:
        if not number.strip().isdigit():
            raise CommandError(f"“{number}” is no event: write its number, as 3:1200")
        event = int(number) - 1
    place = place.strip()
    if not place:
        return _jump(debugger, debugger.moment.episode, event, place)
    kind, _, digits = place.rpartition(" ")
    kind = kind.strip() or ("step" if digits.isdigit() else digits)
    if kind == "setup":
        return _jump(debugger, 0, event, place)
    if kind not in ("step", "sample") or not digits.isdigit():
        raise CommandError(f"goto “{argument}”? Write STEP[:EVENT], :EVENT, sample N, setup, line N, loss, start or end")
    index = debugger.episode_index(kind, int(digits))
    if index is not None:
        return _jump(debugger, index, event, place)
    if event:
        raise CommandError(f"{place} is not recorded yet: `goto {place}` runs to its first event")
    debugger.run_to(kind, int(digits))
    return _moved(debugger)


def _jump(debugger: Debugger, episode: int, event: int, place: str) -> Result:
    trace = debugger.history.traces.get(episode)
    if trace is None:
        raise CommandError(f"{place} was run freely: only its loss and weights are kept")
    if not 0 <= event < len(trace):
        raise CommandError(f"this episode has events 1 to {len(trace):,} so far")
    debugger.jump(Moment(episode, event))
    return _moved(debugger)


def _until(debugger: Debugger, argument: str) -> Result:
    trace = debugger.trace
    if trace is None or not argument:
        raise CommandError("until which line? until 120")
    place = parse(argument, trace.program)
    debugger.breakpoints.add(place, trace.program, temporary=True, since=debugger.now)
    debugger.continue_forward()
    return _moved(debugger)


def _run(debugger: Debugger, argument: str) -> Result:
    if argument:
        debugger.run_steps(_count(argument))
    else:
        debugger.run()
    return _moved(debugger)


def _pause(debugger: Debugger, argument: str) -> Result:
    debugger.pause()
    return _moved(debugger)


def _visit(direction: int) -> Handler:
    def run(debugger: Debugger, argument: str) -> Result:
        if not debugger.visit(direction):
            raise CommandError("no earlier place to return to" if direction < 0 else "no later place")
        return _moved(debugger)

    return run


def _restart(debugger: Debugger, argument: str) -> Result:
    debugger.restart()
    return _moved(debugger)


# -- breakpoints -----------------------------------------------------------------------------


def _break(temporary: bool) -> Handler:
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


def _log(debugger: Debugger, argument: str) -> Result:
    quote = next((c for c in argument if c in "\"'"), "")
    place_text, _, rest = argument.partition(quote) if quote else (argument, "", "")
    text, closing, after = rest.rpartition(quote) if quote else ("", "", "")
    if not closing:
        raise CommandError('write what to say in quotes: log op:exp "{name} {data}" if data > 5')
    program = debugger.history.program
    place = parse(f"{place_text.strip()} {after.strip()}".strip(), program, line=debugger.line_here())
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


def _each(change: Callable[[Debugger, int], None]) -> Handler:
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
    if not argument:
        raise CommandError("watch what? watch layer0.attn_wq[0][0], watch loss, watch q[3].grad")
    made = debugger.breakpoints.watch(argument, debugger.history.program, since=debugger.now)
    return _of_breakpoint(debugger, made)


def _display(debugger: Debugger, argument: str) -> Result:
    if argument:
        debugger.displays.add(expression(argument, debugger.history.program))
    values = displayed(debugger)
    return Result("\n".join(v.line for v in values),
                  {"displays": [{"expression": v.text, "value": v.value} for v in values]})  # fmt: skip


def _undisplay(debugger: Debugger, argument: str) -> Result:
    debugger.displays.remove(argument)
    return _display(debugger, "")


def _save(debugger: Debugger, argument: str) -> Result:
    if not argument:
        raise CommandError("save to which file? save my.breakpoints")
    debugger.breakpoints.save(Path(argument))
    return Result(f"saved to {argument}", {"file": argument})


def _load(debugger: Debugger, argument: str) -> Result:
    if not argument:
        raise CommandError("load which file? One that `save FILE` has written")
    refused = debugger.breakpoints.load(Path(argument), debugger.history.program)
    listed = _list(debugger, "")
    return Result("\n".join([*(f"not set: {r}" for r in refused), listed.text]), {**listed.data, "refused": refused})


# -- looking and changing --------------------------------------------------------------------


def _show(debugger: Debugger, argument: str) -> Result:
    return _moved(debugger)


def _print(debugger: Debugger, argument: str) -> Result:
    if not argument:
        raise CommandError("print what? An expression of the script's own, as print q[:4]")
    text, data = evaluated(debugger, argument)
    return Result(text, data)


def _set(debugger: Debugger, argument: str) -> Result:
    name, sign, value = argument.partition("=")
    if not sign:
        raise CommandError("set NODE = X, as set layer0.attn_wq[0][0] = 0.5")
    change = changing.set_value(debugger, name.strip(), value.strip())
    return Result(change.text, {"node": change.node, "name": change.name, "old": change.old, "new": change.new})


def _undo(debugger: Debugger, argument: str) -> Result:
    change = changing.undo(debugger)
    return Result(change.text, {"node": change.node, "name": change.name, "old": change.old, "new": change.new})


def _find(debugger: Debugger, argument: str) -> Result:
    rows = found(debugger, argument)
    data = [{"event": r.event, "node": r.node, "name": r.name, "op": r.op, "data": r.data, "line": r.line} for r in rows]
    head = f"{len(rows):,} found" + (", the first 20:" if len(rows) > 20 else "")
    lines = [f"  {r.event + 1:>9,}  {r.name or '#' + str(r.node):<24} {r.op:<8} {r.data:<+14.6g} line {r.line}"
             for r in rows[:20]]  # fmt: skip
    if rows:
        debugger.found = [Moment(debugger.moment.episode, r.event) for r in rows]
        debugger.found_at = -1
    return Result("\n".join([head, *lines]), {"count": len(rows), "found": data[:1000]})


def _findnext(by: int) -> Handler:
    def run(debugger: Debugger, argument: str) -> Result:
        places = sorted(set(debugger.found), key=lambda m: (m.episode, m.event))
        here = (debugger.moment.episode, debugger.moment.event)
        if by > 0:
            target = next((m for m in places if (m.episode, m.event) > here), None)
        else:
            target = next((m for m in reversed(places) if (m.episode, m.event) < here), None)
        if target is None:
            raise CommandError("nothing is being looked for: `find` first" if not places else "no more of them there")
        debugger.jump(target)
        return _moved(debugger)

    return run


def _check(debugger: Debugger, argument: str) -> Result:
    report = checked(debugger, argument)
    rows = [{"kind": f.kind, "node": f.node, "event": f.event, "line": f.line, "text": f.text} for f in report.findings]
    if report.findings:
        debugger.found = [Moment(debugger.moment.episode, f.event) for f in report.findings]
    operations = [{"operation": o, "checked": n, "wrong": w} for o, n, w in report.operations]
    return Result(report.text, {"findings": rows, "operations": operations, "gradients": report.gradients})


def _rootcause(debugger: Debugger, argument: str) -> Result:
    cause = diagnose(debugger)
    if cause is None:
        raise CommandError("no NaN, no infinity and no failing operation here: nothing to explain")
    if argument in ("go", "goto") and cause.origin is not None:
        event = cause.origin.event
        debugger.jump(Moment(debugger.moment.episode, event if event >= 0 else 0))
        return _moved(debugger)
    chain = [{"node": x.node, "name": x.name, "op": x.op, "data": x.data, "line": x.line, "event": x.event,
              "history": list(x.history)} for x in cause.chain]  # fmt: skip
    origin = None if cause.origin is None else cause.origin.name
    return Result(cause.text, {"what": cause.what, "line": cause.line, "origin": origin, "said": cause.said,
                               "chain": chain})  # fmt: skip


def _bookmark(debugger: Debugger, argument: str) -> Result:
    if argument:
        debugger.bookmarks[argument] = debugger.moment
    rows = [f"  {name:<20} {debugger.name_of(m)}" for name, m in debugger.bookmarks.items()]
    return Result("\n".join(rows) or "no bookmarks: `bookmark NAME` sets one here", {
        "bookmarks": {name: debugger.name_of(m) for name, m in debugger.bookmarks.items()}})  # fmt: skip


def _bookmarked(debugger: Debugger, name: str) -> Moment:
    moment = debugger.bookmarks.get(name)
    if moment is None:
        raise CommandError(f"no bookmark “{name}”; there are: {', '.join(debugger.bookmarks) or 'none'}")
    return moment


def _help(debugger: Debugger, argument: str) -> Result:
    wanted = [parse_command(argument)[0]] if argument else list(COMMANDS)
    rows = [f"{(c.name + ' ' + c.argument).strip():<34} {c.help}" for c in wanted]
    return Result("\n".join(rows), {"commands": {c.name: c.help for c in wanted}})


COMMANDS: Sequence[Command] = (
    Command("step", "[N]", "one operation on, as the source writes it", _step("step"), ("s",)),
    Command("back", "[N]", "one operation back", _step("back"), ("S",)),
    Command("si", "[N]", "one event on, inside an operation too", _step("step_event"), ("stepi",)),
    Command("sib", "[N]", "one event back", _step("back_event"), ("backi",)),
    Command("next", "[N]", "the next statement at this scope or outside it", _step("next_statement"), ("n",)),
    Command("rnext", "[N]", "the statement before", _step("previous_statement"), ("N",)),
    Command("finish", "[N]", "the end of this call or loop turn", _step("finish"), ("f",)),
    Command("rfinish", "[N]", "the start of this call or loop turn", _step("start_of_scope"), ("F",)),
    Command("nextpos", "[N]", "the next token position", _turn("next_turn"), (")",)),
    Command("prevpos", "[N]", "the token position before", _turn("previous_turn"), ("(",)),
    Command("loop", "NAME [N]", "the next turn of the loop with this variable; loop NAME -1 backwards",
            _turn("next_turn")),
    Command("phase", "[N]", "the next phase: forward, backward, optimizer", _step("next_phase"), ("]",)),
    Command("rphase", "[N]", "the start of this phase, or the phase before", _step("previous_phase"), ("[",)),
    Command("nextstep", "[N]", "the next training step or sample", _step("next_episode"), (">",)),
    Command("prevstep", "[N]", "the start of this training step, or the one before", _step("previous_episode"), ("<",)),
    Command("continue", "[N]", "to the next stop, live at the end of the record", _step("continue_forward"), ("c",)),
    Command("rcontinue", "[N]", "to the stop before", _step("continue_backward"), ("C",)),
    Command("until", "LINE", "to a line, once", _until),
    Command("run", "[STEPS]", "run on with the breakpoints armed; so many steps", _run),
    Command("pause", "", "pause where the script is", _pause),
    Command("restart", "", "begin anew; breakpoints stay", _restart),
    Command("goto", "WHERE", "3:1200, :1200, sample 2, setup, line 102, loss, start, end, bookmark NAME", _goto, ("g",)),
    Command("return", "", "back to where you came from", _visit(-1)),
    Command("forward", "", "undo a return", _visit(1)),
    Command("bookmark", "[NAME]", "name this moment; list the names", _bookmark),
    Command("break", "[WHERE] [if COND] [ignore N]",
            "line, op:NAME, function, li=0, var:, param:, phase:, step:, pos:, loss < 2, print:TEXT, if COND",
            _break(False), ("b",)),
    Command("tbreak", "[WHERE] [if COND]", "the same, once", _break(True)),
    Command("log", 'WHERE "TEXT" [if COND]', "say {name} {data} there and go on", _log),
    Command("breakpoints", "", "the list", _list, ("B",)),
    Command("delete", "[NUMBERS]", "remove; all without a number",
            _each(lambda d, n: d.breakpoints.delete(n))),
    Command("enable", "[NUMBERS]", "switch on", _each(lambda d, n: d.breakpoints.enable(n))),
    Command("disable", "[NUMBERS]", "switch off", _each(lambda d, n: d.breakpoints.enable(n, False))),
    Command("ignore", "NUMBER COUNT", "pass by so many hits first", _ignore),
    Command("nan", "on|off|allow COND", "stop at the first NaN or infinity; expect some", _nan),
    Command("watch", "EXPR", "stop when its value changes; C goes to who changed it last", _watch, ("W",)),
    Command("display", "[EXPR]", "show at every stop", _display, ("w",)),
    Command("undisplay", "[EXPR]", "show no more", _undisplay),
    Command("print", "EXPR", "evaluate in the script's paused frame", _print, ("p",)),
    Command("set", "NODE = X", "change a live number; the run goes on from it", _set),
    Command("undo", "", "take the last `set` back", _undo),
    Command("find", "[WHAT] [sort KEY]", "nodes by name, regular expression, operation, line, scope, value", _find,
            ("/",)),
    Command("findnext", "", "to the next one found", _findnext(1), (".",)),
    Command("findprev", "", "to the one before", _findnext(-1), (",",)),
    Command("check", "[SCOPE]", "test gradients: local ones by finite differences, sums by another pass", _check, ("k",)),
    Command("rootcause", "[go]", "where a NaN, an infinity or a failing operation comes from", _rootcause),
    Command("save", "FILE", "write the breakpoints to a file", _save),
    Command("load", "FILE", "add the breakpoints of a file", _load, ("restore",)),
    Command("show", "", "where the cursor is and why", _show, ("where",)),
    Command("help", "[COMMAND]", "this list", _help),
)  # fmt: skip

BY_NAME: dict[str, Command] = {n: c for c in COMMANDS for n in (c.name, *c.aliases)}
