"""Everything a person can ask for, once: keys, ``:`` command, words for footer and help, and what it does.

Plain data and functions; no Textual. Key bindings, command palette, footer, help screen and the
command line are made from ``ACTIONS``: an action more is one entry more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.trace.trace import Trace


class Desk(Protocol):
    """What an action acts on: the debugger, and the face that it is shown by."""

    debugger: Debugger

    def say(self, text: str) -> None:
        """One line for the person."""

    def repeat(self, move: Callable[[], bool], count: int = 1) -> None:
        """Make a move so many times; each that has to run the script is waited for."""

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
    needs: str = ""
    """A method of the debugger without which the action is not offered."""
    moves: bool = False
    """True when the script runs only briefly for it: further moves then wait for their turn. After the others they
    are refused until the script is paused."""


class CommandError(ValueError):
    """A command that cannot be done; the message says why and what would do."""


def count_of(argument: str) -> int:
    """A repeat count: ``""`` is 1. Raises CommandError."""
    if not argument:
        return 1
    try:
        count = int(argument.replace(",", "").replace("_", ""))
    except ValueError:
        raise CommandError(f"“{argument}” is no count: write a whole number, such as 10") from None
    if count < 1:
        raise CommandError("a count is 1 or more")
    return count


def _move(name: str) -> Run:
    """Run a debugger's method as often as the argument says."""

    def run(desk: Desk, argument: str) -> None:
        desk.repeat(getattr(desk.debugger, name), count_of(argument))

    return run


def _turn(name: str) -> Run:
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
    method = desk.debugger.previous_turn if back else desk.debugger.next_turn
    desk.repeat(lambda: bool(method(loop)), count_of(rest.lstrip("-")))


def _open(what: str) -> Run:
    return lambda desk, argument: desk.open(what, argument)


def _call(name: str) -> Run:
    """Call a method of the debugger that other parts deliver; what it returns is said."""

    def run(desk: Desk, argument: str) -> None:
        method = getattr(desk.debugger, name)
        answer = method(argument) if argument else method()
        if isinstance(answer, str) and answer:
            desk.say(answer)

    return run


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


# -- goto ------------------------------------------------------------------------------------


def goto(debugger: Debugger, argument: str) -> bool:
    """Go where ``3:1200``, ``:1200``, ``3``, ``setup:5``, ``sample 2:17``, ``line 102``, ``loss``, ``start`` or ``end``
    says. Returns True when the script had to be sent on. Raises CommandError."""
    words = argument.split()
    if not words:
        raise CommandError("goto where? STEP[:EVENT], :EVENT, sample N[:EVENT], setup[:EVENT], line N, loss, start, end")
    if words[0] == "line":
        return _goto_line(debugger, words[1:])
    if words[0] in ("loss", "start", "end") and len(words) == 1:
        return _goto_mark(debugger, words[0])
    place, colon, event_text = argument.replace(",", "").partition(":")
    place = place.strip()
    event = 0
    if colon:
        try:
            event = int(event_text) - 1
        except ValueError:
            raise CommandError(f"“{event_text}” is no event: write its number, such as 3:1200") from None
    trace = debugger.trace
    if not place and trace is not None:
        return _jump(debugger, trace, event)
    kind, number = _episode(place)
    index = 0 if kind == "setup" else debugger.episode_index(kind, number)
    known = debugger.history.traces.get(index) if index is not None else None
    if known is not None and len(known):
        return _jump(debugger, known, event)
    if index is not None and index <= debugger.history.current and not (kind == "step" and debugger.history.newest is None):
        raise CommandError(f"{place} was run freely: only its loss and weights are kept")
    if event:
        raise CommandError(f"{place} is not recorded yet: go to {place} first, then to its events")
    return debugger.run_to(kind, number)


def _episode(place: str) -> tuple[str, int]:
    word, _, digits = place.rpartition(" ")
    word = word.strip().rstrip("s") or ("step" if digits.isdigit() else digits)
    if word == "setup":
        return "setup", 0
    if word in ("step", "sample") and digits.isdigit():
        return word, int(digits)
    raise CommandError(f"goto “{place}”? Write STEP[:EVENT], :EVENT, sample N, setup, line N, loss, start or end")


def _jump(debugger: Debugger, trace: Trace, event: int) -> bool:
    if not 0 <= event < len(trace):
        name = debugger.name_of(Moment(trace.index, 0)).partition(":")[0]
        raise CommandError(f"{name} has events 1 to {len(trace):,} so far")
    debugger.goto(event, trace.index)
    return False


def _goto_mark(debugger: Debugger, mark: str) -> bool:
    trace = debugger.trace
    if trace is None:
        raise CommandError("nothing is recorded yet")
    if mark == "loss":
        node = trace.loss_node()
        if node < 0:
            raise CommandError("no backward pass in this episode yet: ] goes on to it")
        return _jump(debugger, trace, trace.born_at(node))
    return _jump(debugger, trace, 0 if mark == "start" else len(trace) - 1)


def _goto_line(debugger: Debugger, words: list[str]) -> bool:
    """The next event of a line after the cursor, else the first one."""
    if len(words) != 1 or not words[0].isdigit():
        raise CommandError("goto line N: write a line's number")
    line = int(words[0])
    trace = debugger.trace
    if trace is None:
        raise CommandError("nothing is recorded yet")
    event = next_event_of_line(trace, line, debugger.moment.event)
    if event < 0:
        raise CommandError(f"line {line} makes no operation in this episode, as far as it is recorded")
    return _jump(debugger, trace, event)


def next_event_of_line(trace: Trace, line: int, event: int, file: int = 0) -> int:
    """The first creation after ``event`` that a line makes, else the first one of the episode; -1 for none."""
    sites = {
        s.number for s in trace.program.sites
        if s is not None and s.file == file and s.line <= line <= s.end_line and (s.line == line or s.end_line - s.line < 12)
    }  # fmt: skip
    exact = {n for n in sites if trace.program.site(n).line == line} or sites
    first = -1
    for i, site in enumerate(trace.site):
        if site in exact:
            born = trace.born[i]
            if born > event:
                return born
            if first < 0:
                first = born
    return first


def _goto(desk: Desk, argument: str) -> None:
    if not argument:
        desk.open("command", "goto ")
        return
    desk.repeat(lambda: goto(desk.debugger, argument))


# -- the registry ----------------------------------------------------------------------------

STEPPING, RUNNING, LOOKING, STOPPING, SCREEN = "Step", "Run", "Look", "Stop and change", "Screen"

ACTIONS: tuple[Action, ...] = (
    Action("step", ("s", "right"), "step", "One operation on, as the source writes it", STEPPING,
           _move("step"), "[N]", 1, moves=True),
    Action("back", ("S", "left"), "back", "One operation back", STEPPING, _move("back"), "[N]", 2, moves=True),
    Action("next", ("n",), "next", "The next statement at this scope or outside it; in a backward pass the next node",
           STEPPING, _move("next_statement"), "[N]", 3, moves=True),
    Action("rnext", ("N",), "rnext", "The statement before", STEPPING, _move("previous_statement"), "[N]", moves=True),
    Action("finish", ("f",), "finish", "The end of this call or loop turn", STEPPING, _move("finish"), "[N]", 6,
           moves=True),
    Action("rfinish", ("F",), "rfinish", "The start of this call or loop turn", STEPPING, _move("start_of_scope"),
           "[N]", moves=True),
    Action("nextpos", (")",), "position", "The next token position (or turn of the loop NAME)", STEPPING,
           _turn("next_turn"), "[NAME] [N]", 9, moves=True),
    Action("prevpos", ("(",), "position back", "The token position before", STEPPING, _turn("previous_turn"),
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
    Action("loop", (), "loop", "The next turn of the loop with this variable (backwards: loop h -1)", STEPPING, _loop,
           "NAME [N]", moves=True),
    Action("run", ("space",), "run", "Run freely; pause", RUNNING, _run, "", 4),
    Action("pause", ("ctrl+c",), "pause", "Pause where the script is; never ends the session", RUNNING, _pause),
    Action("continue", ("c",), "continue", "Run to the next stop", RUNNING, _move("continue_forward"), "[N]",
           needs="continue_forward", footer=5),
    Action("rcontinue", ("C",), "continue back", "Back to the stop before", RUNNING, _move("continue_backward"), "[N]",
           needs="continue_backward"),
    Action("interrupt", ("!",), "interrupt", "Signal a script that does not pause: SIGINT, then SIGTERM, then SIGKILL",
           RUNNING, _open("interrupt")),
    Action("goto", ("g",), "goto", "Go to a moment: 3:1200, :1200, sample 2, setup, line 102, loss, start, end",
           LOOKING, _goto, "WHERE", 10),
    Action("follow", (), "follow", "To where the selected value is made (Enter in a pane)", LOOKING, _open("follow"),
           moves=True),
    Action("return", ("backspace",), "return", "Back to where you came from", LOOKING, _visit(-1), moves=True),
    Action("forward", (), "forward", "Undo a return", LOOKING, _visit(1), moves=True),
    Action("full", (), "full numbers", "Every number in full, or short again (v in Value and Variables)", LOOKING,
           _open("full")),
    Action("explain", (), "explain", "What the focused pane shows, with this moment's numbers", LOOKING,
           _open("help")),
    Action("command", (":",), "command", "Type a command", SCREEN, _open("command"), footer=15),
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

BY_NAME: dict[str, Action] = {n: a for a in ACTIONS for n in (a.name, *a.aliases)}


def offered(debugger: Debugger | None) -> list[Action]:
    """The actions that this debugger can do, in the registry's order."""
    return [a for a in ACTIONS if not a.needs or debugger is None or hasattr(debugger, a.needs)]


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
