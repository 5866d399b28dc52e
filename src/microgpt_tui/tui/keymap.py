"""Which key gives which command, and which of them the footer shows."""

from __future__ import annotations

KEYS = {
    "s": "step", "S": "back", "n": "next", "N": "rnext", "f": "finish", "F": "rfinish",
    ")": "nextpos", "(": "prevpos", "]": "phase", "[": "rphase", ">": "nextstep", "<": "prevstep",
    "space": "run", "ctrl+c": "pause", "c": "continue", "C": "rcontinue", "!": "interrupt",
    "g": "goto", "backspace": "return", "/": "find", ".": "findnext", ",": "findprev", "e": "export",
    "b": "break", "B": "breakpoints", "w": "display", "W": "watch", "i": "set", "k": "check", "K": "rootcause",
    ":": "type", "t": "tour", "ctrl+p": "palette", "?": "help", "q": "quit", "tab": "pane", "shift+tab": "rpane",
    "1": "source", "2": "where", "3": "variables", "4": "value", "5": "graph", "6": "attention", "7": "tokens",
    "R": "residual", "Z": "zoom", "y": "copy", "}": "wider", "{": "narrower",
    "8": "weights", "9": "training", "0": "output",
}  # fmt: skip
"""A key, as a person writes it, and the command that it gives. The first of several keys is the one that is shown."""

PANE_KEYS = {
    "up": "the row above", "down": "the row below", "left": "beside, to the left", "right": "beside, to the right",
    "pageup": "a page up", "pagedown": "a page down", "home": "to the top, or the first",
    "end": "to the end, or the last",
    "enter": "go to what the row stands for", "backspace": "back to where you came from", "z": "back to now",
    "m": "what the numbers are: data, gradient, logit, …", "o": "another arrangement: open, order, one or all",
    "x": "the next part: number, matrix, file", "l": "layer by layer; the map of the model", "h": "the next head",
    "d": "another text or training step", "r": "mark a place to compare with", "v": "every number in full",
    "u": "more of the pane's setting: temperature, threshold, mean, scale", "a": "what if: fewer tokens (top-k)",
    "p": "what if: fewer tokens (top-p)", "j": "fold", "plus": "more around", "minus": "less around",
    "G": "the strongest paths", "delete": "what if: this switched off (ablate); :unpoke takes it back",
}  # fmt: skip
"""Keys of the panes: each means the same in every pane that has it; upper case goes the other way."""

FOOTER = {
    "step": "step", "back": "back", "next": "next", "run": "run", "continue": "continue", "finish": "finish",
    "phase": "phase", "nextstep": "train step", "nextpos": "position", "goto": "goto", "break": "break", "find": "find",
    "export": "export", "type": "command", "help": "help", "quit": "quit",
}  # fmt: skip
"""Commands in the footer, the most important first, and their words there."""

TYPED = frozenset({"type", "display", "find"})
"""Besides those that need an argument: commands whose key opens something to type into."""

_TEXTUAL = {
    ")": "right_parenthesis", "(": "left_parenthesis", "]": "right_square_bracket", "[": "left_square_bracket",
    ">": "greater_than_sign", "<": "less_than_sign", ":": "colon", "?": "question_mark", "/": "slash",
    "}": "right_curly_bracket", "{": "left_curly_bracket", ",": "comma", ".": "full_stop", "!": "exclamation_mark",
}  # fmt: skip


def keys_of(command: str) -> list[str]:
    """The keys of a command."""
    return [key for key, name in KEYS.items() if name == command]


def shown_key(name: str) -> str:
    """A key as a person writes it, from what Textual calls it."""
    return next((key for key, called in _TEXTUAL.items() if called == name), name)


def textual_name(key: str) -> str:
    """What Textual calls a key."""
    return _TEXTUAL.get(key, key)
