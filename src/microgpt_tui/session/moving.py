"""The commands that move: stepping, running, going somewhere; and where the cursor is."""

from __future__ import annotations

from typing import Any

from microgpt_tui.protocol.stops import AtBreakpoints
from microgpt_tui.session import stops
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.session.looking import displayed, shown
from microgpt_tui.session.result import CommandError, Handler, Result
from microgpt_tui.trace.breakpoints import parse

# -- where we are ----------------------------------------------------------------------------


def moved(debugger: Debugger) -> Result:
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
        here = stop if isinstance(stop, AtBreakpoints) and debugger.at_frontier else debugger.stop_at(hit[1])
        lines.append(str(stops.explain(here, debugger.history)))
        data["breakpoints"] = list(hit[1])
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


def stepping(name: str) -> Handler:
    """A debugger's method, as often as the argument says: live steps are waited for."""

    def run(debugger: Debugger, argument: str) -> Result:
        count = count_of(argument)
        for i in range(count):
            if not getattr(debugger, name)():
                break
            if debugger.running and i < count - 1:
                debugger.wait()
                if debugger.over or debugger.hit is not None:
                    break
        return moved(debugger)

    return run


def iterating(name: str) -> Handler:
    def run(debugger: Debugger, argument: str) -> Result:
        loop, _, rest = argument.partition(" ")
        if loop and not loop.isdigit():
            method, back = getattr(debugger, name), rest.startswith("-")
            if back:
                method = debugger.previous_iteration
            for _ in range(count_of(rest.lstrip("-"))):
                if not method(loop):
                    break
                debugger.wait()
            return moved(debugger)
        return stepping(name)(debugger, argument)

    return run


def count_of(argument: str) -> int:
    if not argument:
        return 1
    try:
        count = int(argument.replace(",", "").replace("_", ""))
    except ValueError:
        raise CommandError(f"“{argument}” is no count: write a whole number, such as 10") from None
    if count < 1:
        raise CommandError("a count is 1 or more")
    return count


def goto(debugger: Debugger, argument: str) -> Result:
    words = argument.split()
    trace = debugger.trace
    if not words or trace is None:
        raise CommandError("goto where? STEP[:EVENT], :EVENT, sample N, setup, line N, loss, start, end, bookmark NAME")
    if words[0] == "bookmark":
        debugger.jump(_bookmarked(debugger, " ".join(words[1:])))
        return moved(debugger)
    if words[0] == "line":
        place = parse(" ".join(words[1:]), trace.program)
        hit = debugger.first_of(place, trace, debugger.moment.event)
        if hit is None:
            raise CommandError(f"line {' '.join(words[1:])} is not reached in this episode, as far as it is recorded")
        debugger.goto(hit)
        return moved(debugger)
    if words[0] in ("start", "end") and len(words) == 1:
        debugger.goto(0 if words[0] == "start" else len(trace) - 1)
        return moved(debugger)
    if words[0] == "loss":
        node = trace.loss_node()
        if node < 0:
            raise CommandError("no backward pass in this episode yet: `phase` goes on to it")
        debugger.goto(trace.born_at(node))
        return moved(debugger)
    return goto_moment(debugger, argument)


def goto_moment(debugger: Debugger, argument: str) -> Result:
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
        raise CommandError(
            f"goto “{argument}”? Write STEP[:EVENT], :EVENT, sample N, setup, line N, loss, start or end"
        )
    index = debugger.episode_index(kind, int(digits))
    if index is not None:
        return _jump(debugger, index, event, place)
    if event:
        raise CommandError(f"{kind} {digits} is not recorded yet: `goto {place}` runs to its first event")
    debugger.run_to(kind, int(digits))
    return moved(debugger)


def _jump(debugger: Debugger, episode: int, event: int, place: str) -> Result:
    trace = debugger.history.traces.get(episode)
    if trace is None:
        called = f"step {place}" if place.isdigit() else place
        raise CommandError(f"{called} was run freely: only its loss and weights are kept")
    if not 0 <= event < len(trace):
        raise CommandError(f"this episode has events 1 to {len(trace):,} so far")
    debugger.jump(Moment(episode, event))
    return moved(debugger)


def until(debugger: Debugger, argument: str) -> Result:
    trace = debugger.trace
    if trace is None or not argument:
        raise CommandError("until which line? until 120")
    place = parse(argument, trace.program)
    debugger.breakpoints.add(place, trace.program, temporary=True, since=debugger.now)
    debugger.continue_forward()
    return moved(debugger)


def run_on(debugger: Debugger, argument: str) -> Result:
    if argument:
        debugger.run_steps(count_of(argument))
    else:
        debugger.run()
    return moved(debugger)


def pause(debugger: Debugger, argument: str) -> Result:
    debugger.pause()
    return moved(debugger)


def visiting(direction: int) -> Handler:
    def run(debugger: Debugger, argument: str) -> Result:
        if not debugger.visit(direction):
            raise CommandError("no earlier place to return to" if direction < 0 else "no later place")
        return moved(debugger)

    return run


def restart(debugger: Debugger, argument: str) -> Result:
    debugger.restart()
    return moved(debugger)


def bookmark(debugger: Debugger, argument: str) -> Result:
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
