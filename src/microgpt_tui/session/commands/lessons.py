"""Being shown around, and guessing: the tour, predictions, slow play."""

from __future__ import annotations

from microgpt_tui.narrate.tour import CHAPTERS
from microgpt_tui.session.commands.command import Command, Effect, Moves, Result
from microgpt_tui.session.debugger import Debugger

PLACES = ("next", "back", "off")


def _tour(debugger: Debugger, argument: str) -> Moves | Result:
    tour = debugger.tour
    if argument == "off":
        tour.shown = False
        return Result("the tour is left; `tour` goes on from there")
    return _walk(debugger, argument)


def _walk(debugger: Debugger, argument: str) -> Moves:
    tour = debugger.tour
    if argument.isdecimal():
        if argument == "1":
            tour.step = -1
        yield from tour.go(debugger, int(argument) - 1)
    elif argument in ("", "next", "back"):
        by = {"": 0 if tour.place >= 0 and not tour.shown else 1, "next": 1, "back": -1}[argument]
        yield from tour.go(debugger, tour.place + by)
    else:
        yield from tour.chapter(debugger, argument)
    yield


def _predict(debugger: Debugger, argument: str) -> Moves | Result:
    prediction = debugger.prediction
    if argument == "off":
        prediction.leave()
        return Result(f"no more questions; {prediction.score or 'none was answered'}")
    return _guessed(debugger, argument) if argument else prediction.ask(debugger)


def _guessed(debugger: Debugger, argument: str) -> Moves:
    debugger.prediction.guess(debugger, argument)
    yield


COMMANDS = (
    Command("tour", "[next|back|off|N|CHAPTER]",
            "A guided tour of one training step and one sample of this script; it goes on where it was left", _tour,
            Effect.STEPS, choices=lambda d: (*PLACES, *CHAPTERS)),
    Command("predict", "[NUMBER|off]", "Be asked for the next number, value or gradient, before it is shown; the guess",
            _predict, Effect.STEPS),
)  # fmt: skip
