"""The one command language: headless ``-c`` and the screen's ``:`` line say the same things.

``execute(debugger, text)`` does a command and never waits for a script that runs on: such a
command gives a result whose text is made when it is read, after the caller has waited.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from microgpt_tui.protocol.conditions import ConditionError
from microgpt_tui.session import asking, changing, moving, stopping
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.result import CommandError, Handler, Result
from microgpt_tui.trace.breakpoints import BreakpointError
from microgpt_tui.trace.watches import NotHere


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


def _help(debugger: Debugger, argument: str) -> Result:
    wanted = [parse_command(argument)[0]] if argument else list(COMMANDS)
    rows = [f"{(c.name + ' ' + c.argument).strip():<34} {c.help}" for c in wanted]
    return Result("\n".join(rows), {"commands": {c.name: c.help for c in wanted}})


COMMANDS: Sequence[Command] = (
    Command("step", "[N]", "one operation on, as the source writes it", moving.stepping("step"), ("s",)),
    Command("back", "[N]", "one operation back", moving.stepping("back"), ("S",)),
    Command("si", "[N]", "one event on, inside an operation too", moving.stepping("step_event"), ("stepi",)),
    Command("sib", "[N]", "one event back", moving.stepping("back_event"), ("backi",)),
    Command("next", "[N]", "the next statement at this scope or outside it", moving.stepping("next_statement"), ("n",)),
    Command("rnext", "[N]", "the statement before", moving.stepping("previous_statement"), ("N",)),
    Command("finish", "[N]", "the end of this call or loop iteration", moving.stepping("finish"), ("f",)),
    Command("rfinish", "[N]", "the start of this call or loop iteration", moving.stepping("start_of_scope"), ("F",)),
    Command("nextpos", "[N]", "the next token position", moving.iterating("next_iteration"), (")",)),
    Command("prevpos", "[N]", "the token position before", moving.iterating("previous_iteration"), ("(",)),
    Command(
        "loop",
        "NAME [N]",
        "the next iteration of the loop with this variable; loop NAME -1 backwards",
        moving.iterating("next_iteration"),
    ),
    Command("phase", "[N]", "the next phase: forward, backward, optimizer", moving.stepping("next_phase"), ("]",)),
    Command("rphase", "[N]", "the start of this phase, or the phase before", moving.stepping("previous_phase"), ("[",)),
    Command("nextstep", "[N]", "the next training step or sample", moving.stepping("next_episode"), (">",)),
    Command(
        "prevstep",
        "[N]",
        "the start of this training step, or the one before",
        moving.stepping("previous_episode"),
        ("<",),
    ),
    Command(
        "continue",
        "[N]",
        "to the next stop, live at the end of the record",
        moving.stepping("continue_forward"),
        ("c",),
    ),
    Command("rcontinue", "[N]", "to the stop before", moving.stepping("continue_backward"), ("C",)),
    Command("until", "LINE", "to a line, once", moving.until),
    Command("run", "[STEPS]", "run on with the breakpoints armed; so many steps", moving.run_on),
    Command("pause", "", "pause where the script is", moving.pause),
    Command("restart", "", "begin anew; breakpoints stay", moving.restart),
    Command(
        "goto",
        "WHERE",
        "3:1200, :1200, sample 2, setup, line 102, loss, start, end, bookmark NAME",
        moving.goto,
        ("g",),
    ),
    Command("return", "", "back to where you came from", moving.visiting(-1)),
    Command("forward", "", "undo a return", moving.visiting(1)),
    Command("bookmark", "[NAME]", "name this moment; list the names", moving.bookmark),
    Command(
        "break",
        "[WHERE] [if COND] [ignore N]",
        "line, op:NAME, function, li=0, var:, param:, phase:, step:, pos:, loss < 2, print:TEXT, if COND",
        stopping.breaking(False),
        ("b",),
    ),
    Command("tbreak", "[WHERE] [if COND]", "the same, once", stopping.breaking(True)),
    Command("log", 'WHERE "TEXT" [if COND]', "say {name} {data} there and go on", stopping.log_point),
    Command("breakpoints", "", "the list", stopping.list_all, ("B",)),
    Command(
        "delete", "[NUMBERS]", "remove; all without a number", stopping.for_each(lambda d, n: d.breakpoints.delete(n))
    ),
    Command("enable", "[NUMBERS]", "switch on", stopping.for_each(lambda d, n: d.breakpoints.enable(n))),
    Command("disable", "[NUMBERS]", "switch off", stopping.for_each(lambda d, n: d.breakpoints.enable(n, False))),
    Command("ignore", "NUMBER COUNT", "pass by so many hits first", stopping.ignore),
    Command("nan", "on|off|allow COND", "stop at the first NaN or infinity; expect some", stopping.nan),
    Command("watch", "EXPR", "stop when its value changes; C goes to who changed it last", stopping.watch, ("W",)),
    Command("display", "[EXPR]", "show at every stop", stopping.display, ("w",)),
    Command("undisplay", "[EXPR]", "show no more", stopping.undisplay),
    Command("print", "EXPR", "evaluate in the script's paused frame", asking.print_value, ("p",)),
    Command("set", "NODE = X", "change a live number; the run goes on from it", asking.set_node),
    Command("undo", "", "take the last `set` back", asking.undo),
    Command(
        "find",
        "[WHAT] [sort KEY]",
        "nodes by name, regular expression, operation, line, scope, value",
        asking.find_nodes,
        ("/",),
    ),
    Command("findnext", "", "to the next one found", asking.finding(1), (".",)),
    Command("findprev", "", "to the one before", asking.finding(-1), (",",)),
    Command(
        "check",
        "[SCOPE]",
        "test gradients: local ones by finite differences, sums by another pass",
        asking.check_gradients,
        ("k",),
    ),
    Command("rootcause", "[go]", "where a NaN, an infinity or a failing operation comes from", asking.root_cause),
    Command("save", "FILE", "write the breakpoints to a file", stopping.save),
    Command("load", "FILE", "add the breakpoints of a file", stopping.load, ("restore",)),
    Command("show", "", "where the cursor is and why", asking.show, ("where",)),
    Command("help", "[COMMAND]", "this list", _help),
)
"""Every command, in the order in which help lists them."""

BY_NAME: dict[str, Command] = {n: c for c in COMMANDS for n in (c.name, *c.aliases)}

__all__ = ["BY_NAME", "COMMANDS", "Command", "CommandError", "Result", "complete", "execute", "parse_command"]
