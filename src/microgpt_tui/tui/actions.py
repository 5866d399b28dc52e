"""Everything a person can ask for, once: keys, ``:`` command, words for footer and help, and what it does.

Plain data and functions; no Textual. Key bindings, command palette, footer, help screen and the
command line are made from ``ACTIONS``: an action more is one entry more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from microgpt_tui.session import commands
from microgpt_tui.session.commands import CommandError, execute
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.moving import count_of


class Desk(Protocol):
    """What an action acts on: the debugger, and the face that it is shown by."""

    debugger: Debugger

    def say(self, text: str) -> None:
        """One line for the person."""

    def repeat(self, move: Callable[[], bool], count: int = 1) -> None:
        """Make a move so many times; each that has to run the script is waited for."""

    def answer(self, command: str, text: str) -> None:
        """Show what a command answers: a line, or a page."""

    def place(self) -> tuple[int, int] | None:
        """(file, line) that the person means: the selected one, else the one being executed."""

    def open(self, what: str, argument: str = "") -> None:
        """Show a pane or a screen by its name, or do what only a screen can."""


Run = Callable[[Desk, str], None]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to ask for."""

    name: str
    """The ``:`` command."""
    keys: tuple[str, ...]
    """As a person writes them: ``s``, ``)``, ``ctrl+p``, ``left``. The first is shown."""
    label: str
    """For the footer: a word."""
    help: str
    """For help and palette: a sentence without its full stop."""
    group: str
    run: Run
    argument: str = ""
    """How the command's argument is written: ``[N]``; empty for none."""
    footer: int = 0
    """Rank in the footer, 1 first; 0 is not there."""
    aliases: tuple[str, ...] = ()
    """Other names of the command."""
    asks: bool = False
    """True when its key opens something to type into: the keys that follow are for that."""
    moves: bool = False
    """True when the script runs only briefly for it: further moves then wait for their iteration. After the others they
    are refused until the script is paused."""


def _move(name: str) -> Run:
    """Run a debugger's method as often as the argument says."""

    def run(desk: Desk, argument: str) -> None:
        desk.repeat(getattr(desk.debugger, name), count_of(argument))

    return run


def _iteration(name: str) -> Run:
    def run(desk: Desk, argument: str) -> None:
        method = getattr(desk.debugger, name)
        loop, _, count = argument.partition(" ")
        if loop and not loop[0].isdigit():
            desk.repeat(lambda: bool(method(loop)), count_of(count))
        else:
            desk.repeat(method, count_of(argument))

    return run


def _loop(desk: Desk, argument: str) -> None:
    loop, _, rest = argument.partition(" ")
    if not loop:
        raise CommandError("name the loop by its variable: loop h; backwards: loop h -1")
    back = rest.startswith("-")
    method = desk.debugger.previous_iteration if back else desk.debugger.next_iteration
    desk.repeat(lambda: bool(method(loop)), count_of(rest.lstrip("-")))


def _open(what: str) -> Run:
    return lambda desk, argument: desk.open(what, argument)


def _run(desk: Desk, argument: str) -> None:
    debugger = desk.debugger
    if debugger.running:
        debugger.pause()
        desk.open("pausing")
    else:
        desk.repeat(debugger.run)


def _pause(desk: Desk, argument: str) -> None:
    if desk.debugger.running:
        desk.debugger.pause()
        desk.open("pausing")
    else:
        desk.say("the script is paused already; q quits")


def _visit(direction: int) -> Run:
    def run(desk: Desk, argument: str) -> None:
        if not desk.debugger.visit(direction):
            desk.say("no earlier place to return to" if direction < 0 else "no later place")

    return run


def _command(name: str) -> Run:
    """A command of the session's language that moves: what it finds is shown by the panes."""

    def run(desk: Desk, argument: str) -> None:
        desk.repeat(lambda: bool(execute(desk.debugger, f"{name} {argument}".strip())))

    return run


def _question(name: str) -> Run:
    """A command of the session's language that answers in words."""

    def run(desk: Desk, argument: str) -> None:
        if desk.debugger.running:
            raise CommandError("the script is running: space pauses it")
        desk.answer(name, execute(desk.debugger, f"{name} {argument}".strip()).text)

    return run


def _with_argument(name: str, run: Run) -> Run:
    """Ask for the argument on the command line where there is none."""

    def ask(desk: Desk, argument: str) -> None:
        if argument:
            run(desk, argument)
        else:
            desk.open("command", name + " ")

    return ask


def _toggle(desk: Desk, argument: str) -> None:
    if argument:
        _question("break")(desk, argument)
        return
    place = desk.place()
    if place is None:
        raise CommandError("no line here to break on: break 120, break op:exp, break softmax")
    file, line = place
    debugger = desk.debugger
    is_set = debugger.toggle_line(file, line)
    desk.say(f"breakpoint {'set on' if is_set else 'removed from'} line {line}")


# -- the registry ----------------------------------------------------------------------------

STEPPING, RUNNING, LOOKING, STOPPING, SCREEN = "Step", "Run", "Look", "Stop and change", "Screen"

_OWN: tuple[Action, ...] = (
    Action("step", ("s", "right"), "step", "One operation on, as the source writes it", STEPPING,
           _move("step"), "[N]", 1, moves=True),
    Action("back", ("S", "left"), "back", "One operation back", STEPPING, _move("back"), "[N]", 2, moves=True),
    Action("next", ("n",), "next", "The next statement at this scope or outside it; in a backward pass the next node",
           STEPPING, _move("next_statement"), "[N]", 3, moves=True),
    Action("rnext", ("N",), "rnext", "The statement before", STEPPING, _move("previous_statement"), "[N]", moves=True),
    Action("finish", ("f",), "finish", "The end of this call or loop iteration", STEPPING, _move("finish"), "[N]", 6,
           moves=True),
    Action("rfinish", ("F",), "rfinish", "The start of this call or loop iteration", STEPPING, _move("start_of_scope"),
           "[N]", moves=True),
    Action("nextpos", (")",), "position", "The next token position (or iteration of the loop NAME)", STEPPING,
           _iteration("next_iteration"), "[NAME] [N]", 9, moves=True),
    Action("prevpos", ("(",), "position back", "The token position before", STEPPING, _iteration("previous_iteration"),
           "[NAME] [N]", moves=True),
    Action("phase", ("]",), "phase", "The next phase: forward, backward, optimizer", STEPPING, _move("next_phase"),
           "[N]", 7, moves=True),
    Action("rphase", ("[",), "phase back", "The start of this phase, or the phase before", STEPPING,
           _move("previous_phase"), "[N]", moves=True),
    Action("nextstep", (">",), "train step", "The next training step or sample", STEPPING, _move("next_episode"), "[N]",
           8, moves=True),
    Action("prevstep", ("<",), "train step back", "The start of this training step, or the one before", STEPPING,
           _move("previous_episode"), "[N]", moves=True),
    Action("si", (), "event", "One event on: inside an operation too (a - b is neg, mul, add)", STEPPING,
           _move("step_event"), "[N]", moves=True, aliases=("stepi",)),
    Action("sib", (), "event back", "One event back", STEPPING, _move("back_event"), "[N]", moves=True,
           aliases=("backi",)),
    Action("loop", (), "loop", "The next iteration of the loop with this name (backwards: loop h -1)", STEPPING, _loop,
           "NAME [N]", moves=True),
    Action("run", ("space",), "run", "Run freely; pause", RUNNING, _run, "", 4),
    Action("pause", ("ctrl+c",), "pause", "Pause where the script is; never ends the session", RUNNING, _pause),
    Action("continue", ("c",), "continue", "Run to the next stop", RUNNING, _move("continue_forward"), "[N]", 5),
    Action("rcontinue", ("C",), "continue back", "Back to the stop before", RUNNING, _move("continue_backward"), "[N]"),
    Action("interrupt", ("!",), "interrupt", "Signal a script that does not pause: SIGINT, then SIGTERM, then SIGKILL",
           RUNNING, _open("interrupt")),
    Action("goto", ("g",), "goto", "Go to a moment: 3:1200, :1200, sample 2, setup, line 102, loss, start, end",
           LOOKING, _with_argument("goto", _command("goto")), "WHERE", 10, asks=True),
    Action("follow", (), "follow", "To where the selected value is made (Enter in a pane)", LOOKING, _open("follow"),
           moves=True),
    Action("return", ("backspace",), "return", "Back to where you came from", LOOKING, _visit(-1), moves=True),
    Action("forward", (), "forward", "Undo a return", LOOKING, _visit(1), moves=True),
    Action("full", (), "full numbers", "Every number in full, or short again (v in Value and Variables)", LOOKING,
           _open("full")),
    Action("explain", (), "explain", "What the focused pane shows, with this moment's numbers", LOOKING,
           _open("help")),
    Action("break", ("b",), "break", "Breakpoint on this line, on or off; or where, and on which condition", STOPPING,
           _toggle, "[WHERE] [if COND]", 11),
    Action("breakpoints", ("B",), "list", "The breakpoints", STOPPING, _open("breakpoints")),
    Action("find", ("/",), "find", "Nodes by name, regular expression, operation, line, scope, value", LOOKING,
           _open("find"), "[WHAT] [sort KEY]", 12, asks=True),
    Action("rootcause", (), "root cause", "Where a NaN, an infinity or a failing operation comes from", LOOKING,
           _open("rootcause"), "[go]"),
    Action("export", ("e",), "export", "A picture of what is shown", LOOKING, _open("export"), "[FILE]", 13),
    Action("until", (), "until", "Run to a line, once", RUNNING, _command("until"), "LINE"),
    Action("restart", (), "restart", "Begin anew; breakpoints stay", RUNNING, _open("restart")),
    Action("command", (":",), "command", "Type a command", SCREEN, _open("command"), footer=15, asks=True),
    Action("palette", ("ctrl+p",), "palette", "Search everything there is to do", SCREEN, _open("palette")),
    Action("help", ("?",), "help", "Keys, commands, and what the focused pane shows", SCREEN, _open("help"), "", 16),
    Action("quit", ("q",), "quit", "End the script and the session", SCREEN, _open("quit"), "", 17, aliases=("exit",)),
    Action("pane", ("tab",), "next pane", "To the next pane; on a small terminal, flip between the two sides", SCREEN,
           _open("flip"), "NAME"),
    Action("rpane", ("shift+tab",), "pane before", "To the pane before", SCREEN, _open("flip-back")),
    *(
        Action(name, (key,), name, f"Show the {name} pane", SCREEN, _open(name))
        for key, name in (
            ("1", "source"), ("2", "where"), ("3", "variables"), ("4", "value"), ("5", "graph"), ("6", "attention"),
            ("7", "tokens"), ("8", "weights"), ("9", "training"), ("0", "output"),
        )
    ),
)  # fmt: skip

_WORDS: dict[str, tuple[tuple[str, ...], str]] = {
    "display": (("w",), "display"), "watch": (("W",), "watch"), "set": (("i",), "set"), "check": (("k",), "check"),
    "findnext": ((".",), "next found"), "findprev": ((",",), "found before"),
}  # fmt: skip
"""Keys and words of commands that the session's language has and the screen takes over as they are."""

_MOVING = ("findnext", "findprev")


def _taken_over() -> tuple[Action, ...]:
    """The session's other commands: one there is one here."""
    own = {n for a in _OWN for n in (a.name, *a.aliases)}
    found = []
    for command in commands.COMMANDS:
        if command.name in own or command.name in ("pause", "help", "show"):
            continue
        keys, label = _WORDS.get(command.name, ((), command.name))
        run = _command(command.name) if command.name in _MOVING else _question(command.name)
        asks = bool(keys and command.argument and command.name != "check")
        if asks:
            run = _with_argument(command.name, run)
        sentence = command.help[:1].upper() + command.help[1:]
        found.append(Action(command.name, keys, label, sentence, STOPPING, run, command.argument, asks=asks))
    return tuple(found)


ACTIONS: tuple[Action, ...] = (*_OWN, *_taken_over())
"""Everything, in the order in which help lists it."""

BY_NAME: dict[str, Action] = {n: a for a in ACTIONS for n in (a.name, *a.aliases)}


def find(word: str) -> Action:
    """An action by its command, an alias, or a beginning that only one command has. Raises CommandError."""
    if word in BY_NAME:
        return BY_NAME[word]
    found = sorted(n for n in BY_NAME if n.startswith(word))
    if len({BY_NAME[n].name for n in found}) == 1:
        return BY_NAME[found[0]]
    if found:
        raise CommandError(f"“{word}” could be {', '.join(found)}")
    raise CommandError(f"no command “{word}”: ? lists them all")
