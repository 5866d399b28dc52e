"""Which key gives which command, and which of them the footer shows."""

from __future__ import annotations

KEYS = {
    "s": "step", "right": "step", "S": "back", "left": "back", "n": "next", "N": "rnext", "f": "finish", "F": "rfinish",
    ")": "nextpos", "(": "prevpos", "]": "phase", "[": "rphase", ">": "nextstep", "<": "prevstep",
    "space": "run", "ctrl+c": "pause", "c": "continue", "C": "rcontinue", "!": "interrupt",
    "g": "goto", "backspace": "return", "/": "find", ".": "findnext", ",": "findprev", "e": "export",
    "b": "break", "B": "breakpoints", "w": "display", "W": "watch", "i": "set", "k": "check", "K": "rootcause",
    ":": "command", "ctrl+p": "palette", "?": "help", "q": "quit", "tab": "pane", "shift+tab": "rpane",
    "1": "source", "2": "where", "3": "variables", "4": "value", "5": "graph", "6": "attention", "7": "tokens",
    "Z": "zoom", "y": "copy", "}": "wider", "{": "narrower",
    "8": "weights", "9": "training", "0": "output",
}  # fmt: skip
"""A key, as a person writes it, and the command that it gives. The first of several keys is the one that is shown."""

FOOTER = {
    "step": "step", "back": "back", "next": "next", "run": "run", "continue": "continue", "finish": "finish",
    "phase": "phase", "nextstep": "train step", "nextpos": "position", "goto": "goto", "break": "break", "find": "find",
    "export": "export", "command": "command", "help": "help", "quit": "quit",
}  # fmt: skip
"""Commands in the footer, the most important first, and their words there."""

TYPED = frozenset({"command", "display", "find"})
"""Besides those that need an argument: commands whose key opens something to type into."""

_TEXTUAL = {
    ")": "right_parenthesis", "(": "left_parenthesis", "]": "right_square_bracket", "[": "left_square_bracket",
    ">": "greater_than_sign", "<": "less_than_sign", ":": "colon", "?": "question_mark", "/": "slash",
    "}": "right_curly_bracket", "{": "left_curly_bracket", ",": "comma", ".": "full_stop", "!": "exclamation_mark",
}  # fmt: skip


def keys_of(command: str) -> list[str]:
    """The keys of a command."""
    return [key for key, name in KEYS.items() if name == command]


def textual_name(key: str) -> str:
    """What Textual calls a key."""
    return _TEXTUAL.get(key, key)
