"""Steps: by operation, event, statement, scope, iteration, phase and episode, forwards and backwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from microgpt_tui.session.commands.command import Command, CommandError, Effect, Moves, count_of
from microgpt_tui.session.debugger import Debugger


def repeated(move: Callable[[Debugger], bool], count: int, debugger: Debugger) -> Moves:
    """A move so many times; fewer where one cannot be made, or something else stops the script."""
    for _ in range(count):
        if not move(debugger):
            return
        live = debugger.running
        yield
        stop = debugger.history.stop
        if debugger.hit is not None or (live and stop is not None and stop.reason != "step"):
            return


def _step(name: str, alias: str, help: str, move: Callable[[Debugger], bool], *aliases: str) -> Command[Debugger]:
    def run(debugger: Debugger, argument: str) -> Moves:
        return repeated(move, count_of(argument), debugger)

    return Command(name, "[N]", help, run, Effect.STEPS, (*([alias] if alias else []), *aliases))


def _iteration(name: str, alias: str, help: str, move: Callable[[Debugger, str | None], bool]) -> Command[Debugger]:
    def run(debugger: Debugger, argument: str) -> Moves:
        loop, _, count = argument.partition(" ")
        if not loop or loop[0].isdigit():
            loop, count = "", argument
        return repeated(lambda d: move(d, loop or None), count_of(count), debugger)

    return Command(name, "[LOOP] [N]", help, run, Effect.STEPS, (alias,), loop_variables)


def _loop(debugger: Debugger, argument: str) -> Moves:
    loop, _, count = argument.partition(" ")
    if not loop.isidentifier():
        raise CommandError("name the loop by its variable: loop h; backwards: loop h -1")
    move = Debugger.previous_iteration if count.startswith("-") else Debugger.next_iteration
    return repeated(lambda d: move(d, loop), count_of(count.lstrip("-")), debugger)


def loop_variables(debugger: Debugger) -> Iterable[str]:
    """Variables of the loops around the cursor, innermost first."""
    trace = debugger.trace
    if trace is None or debugger.moment.event < 0:
        return []
    path = trace.scope_path(trace.scope_of(debugger.moment.event))
    names = [n for s in reversed(path) for n in trace.program.site(trace.scope_site[s]).names]
    return dict.fromkeys(n for n in names if n.isidentifier())


COMMANDS = (
    _step("step", "s", "One operation on, as the source writes it", Debugger.step),
    _step("back", "S", "One operation back", Debugger.back),
    _step("si", "stepi", "One event on: inside an operation too (a - b is neg, mul, add)", Debugger.step_event),
    _step("sib", "backi", "One event back", Debugger.back_event),
    _step("next", "n", "The next statement at this scope or outside it; in a backward pass the next node",
          Debugger.next_statement),
    _step("rnext", "N", "The statement before", Debugger.previous_statement),
    _step("finish", "f", "The end of this call or loop iteration", Debugger.finish),
    _step("rfinish", "F", "The start of this call or loop iteration", Debugger.start_of_scope),
    _iteration("nextpos", ")", "The next token position, or iteration of the loop with that variable",
               Debugger.next_iteration),
    _iteration("prevpos", "(", "The token position before, or iteration of that loop", Debugger.previous_iteration),
    Command("loop", "LOOP [N]", "The next iteration of the loop with that variable; backwards: loop h -1", _loop,
            Effect.STEPS, (), loop_variables),
    _step("phase", "]", "The next phase: forward, backward, optimizer", Debugger.next_phase),
    _step("rphase", "[", "The start of this phase, or the phase before", Debugger.previous_phase),
    _step("nextstep", ">", "The next training step or sample", Debugger.next_episode),
    _step("prevstep", "<", "The start of this training step, or the one before", Debugger.previous_episode),
)  # fmt: skip
