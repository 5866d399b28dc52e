"""The command language: what ``-c`` and ``-x`` obey, what the screen's ``:`` line, keys, palette and help are made of.

A command more is one entry more in one of the small modules of this package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from microgpt_tui.protocol.fields import Data
from microgpt_tui.session.commands import (
    breakpoints,
    comparing,
    displays,
    frames,
    gradients,
    lessons,
    poking,
    recording,
    running,
    search,
    stepping,
    travel,
    values,
)
from microgpt_tui.session.commands.command import (
    Command,
    CommandError,
    Effect,
    Moves,
    Result,
    faults,
    lookup,
    names,
    permit,
)
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.where import where


def parse(text: str, *more: Sequence[Command[Any]]) -> tuple[Command[Any], str]:
    """The command, of this table or of those that only a front end has, and its argument. Raises CommandError.

    A name or an alias; else a beginning that only one command has. A moment alone, as ``3:1200``, is a goto.
    """
    text = text.strip()
    if text.startswith(":") and not text[1:2].isdigit():
        text = text[1:].lstrip()
    word, _, argument = text.partition(" ")
    if not word:
        raise CommandError("type a command; `help` lists them")
    if word.lstrip(":")[:1].isdigit():
        return lookup("goto", COMMANDS), text
    command = lookup(word, COMMANDS, *more)
    if argument and not command.argument:
        raise CommandError(f"{command.name} takes no argument")
    return command, argument.strip()


def start(debugger: Debugger, command: Command[Debugger], argument: str) -> Result | Moves:
    """Begin a command: its answer, or moves that the caller makes, waiting for the script between. Raises CommandError.

    While it moves, faults are CommandErrors too where ``next`` is called within ``faults()``.
    """
    permit(debugger, command)
    if command.needs_argument and not argument:
        raise CommandError(f"{command.name} needs more: {command.usage}: {command.help}")
    debugger.notice = ""
    with faults():
        answer = command.run(debugger, argument)
    return Result() if answer is None else answer


def execute(debugger: Debugger, text: str, on_message: Callable[[Data | None], None] | None = None) -> Result:
    """Do one command, waiting for the script where it has to run. Raises CommandError (a ValueError)."""
    command, argument = parse(text)
    answer = start(debugger, command, argument)
    if isinstance(answer, Result):
        return answer
    with faults():
        for _ in answer:
            debugger.wait(on_message)
    debugger.wait(on_message)
    result = Result(*where(debugger))
    for text in debugger.breakpoints.due(debugger.hit):
        try:
            more = execute(debugger, text, on_message)
        except CommandError as error:
            more = Result(f"*** {error}", status=1)
        result.status = result.status or more.status
        result.text += f"\n> {text}\n{more.text}".rstrip("\n")
        result.data.setdefault("commands", []).append({"command": text, "text": more.text})
        result.ends = result.ends or more.ends
    return result


def complete(debugger: Debugger, text: str, *more: Sequence[Command[Any]]) -> list[str]:
    """What a beginning can become: commands, and for their arguments names of the script."""
    word, space, argument = text.lstrip().partition(" ")
    if not space:
        return sorted({n for n in names(COMMANDS, *more) if n.startswith(word)})
    command = next((c for table in (COMMANDS, *more) for c in table if word in (c.name, *c.aliases)), None)
    if command is None:
        return []
    last = argument.rpartition(" ")[2]
    head = text[: len(text) - len(last)]
    return [head + c for c in command.choices(debugger) if c.startswith(last)][:50]


def _help(debugger: Debugger, argument: str) -> Result:
    wanted = [parse(argument)[0]] if argument else list(COMMANDS)
    rows = [f"{', '.join((c.usage, *c.aliases)):<40} {c.help}" for c in wanted]
    if argument and wanted[0].more:
        rows += ["", wanted[0].more]
    return Result("\n".join(rows), {"commands": {c.name: c.help for c in wanted}})


GROUPS: dict[str, tuple[Command[Debugger], ...]] = {
    "Step": stepping.COMMANDS,
    "Run": running.COMMANDS,
    "Go": travel.COMMANDS,
    "Stop": breakpoints.COMMANDS,
    "Look and change": (*values.COMMANDS, *frames.COMMANDS, *displays.COMMANDS, *search.COMMANDS, *gradients.COMMANDS),
    "Try out": (*poking.COMMANDS, *comparing.COMMANDS),
    "Learn": lessons.COMMANDS,
    "Keep": recording.COMMANDS,
    "Help": (
        Command("help", "[COMMAND]", "Every command, or one of them", _help, Effect.ALWAYS, ("?", "explain")),
    ),
}  # fmt: skip
"""Every command, in the order in which help lists them."""
COMMANDS: tuple[Command[Debugger], ...] = tuple(c for group in GROUPS.values() for c in group)

__all__ = ["COMMANDS", "GROUPS", "Command", "CommandError", "Result", "complete", "execute", "parse", "start"]
