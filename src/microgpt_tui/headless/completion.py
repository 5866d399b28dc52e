"""What shells need to complete the command line, made from the parsers and from the table of debugger commands."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from microgpt_tui.headless.arguments import PARSERS
from microgpt_tui.session.commands import COMMANDS

NAME = "microgpt-tui"
FILES = frozenset({"FILE", "SCRIPT", "MINE", "DIR"})
"""Arguments that are files."""
MOMENTS = ("start", "end", "setup:end", "1:forward", "1:loss", "1:backward", "1:end", "sample 1")


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a command."""

    names: tuple[str, ...]
    help: str
    takes: str
    """What follows it; empty for nothing."""
    words: tuple[str, ...]
    """What can follow it, where that is known."""

    @property
    def is_file(self) -> bool:
        """True where a file follows."""
        return self.takes in FILES


def completion(shell: str) -> str:
    """The script for ``bash``, ``zsh`` or ``fish``."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()


def options_of(parser: argparse.ArgumentParser) -> Iterator[Option]:
    """The options of a command, in the order of its help."""
    for action in parser._actions:
        if not action.option_strings or action.help is argparse.SUPPRESS:
            continue
        metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
        takes = "" if action.nargs == 0 else metavar
        words = tuple(map(str, action.choices or ()))
        if takes == "COMMAND":
            words = tuple(c.name for c in COMMANDS)
        elif takes == "MOMENT":
            words = MOMENTS
        yield Option(tuple(action.option_strings), (action.help or "").replace("%%", "%"), takes, words)


def arguments_of(parser: argparse.ArgumentParser) -> Iterator[Option]:
    """What a command takes that is no option."""
    for action in parser._actions:
        if not action.option_strings:
            words = tuple(map(str, action.choices or ()))
            yield Option((), action.help or "", str(action.metavar), words)


def _commands() -> Iterator[tuple[str, str, list[Option], list[Option]]]:
    """Every command: name, what it does, its options, its arguments."""
    for name, make in PARSERS.items():
        parser = make()
        yield name, parser.description or "", list(options_of(parser)), list(arguments_of(parser))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _bash() -> str:
    names = [name for name in PARSERS if name]
    values, options, words = [], [], []
    for name, _, found, arguments in _commands():
        for option in found:
            keys = "|".join(_quoted(f"{name} {key}") for key in option.names)
            if option.words:
                values.append(f"        {keys}) words={_quoted(' '.join(option.words))} ;;")
            elif option.is_file:
                values.append(f"        {keys}) return ;;")
            elif option.takes:
                values.append(f"        {keys}) compopt +o default; return ;;")
        options.append(f"        {_quoted(name)}) words={_quoted(' '.join(k for o in found for k in o.names))} ;;")
        if known := [word for a in arguments for word in a.words]:
            words.append(f"        {_quoted(name)}) words={_quoted(' '.join(known))} ;;")
    lines = [
        f"# bash completion of {NAME}, made by `{NAME} completion bash`",
        "_microgpt_tui() {",
        '    local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" command="" words=""',
        "    COMPREPLY=()",
        '    if [ "$COMP_CWORD" -gt 1 ]; then',
        f'        case "${{COMP_WORDS[1]}}" in {"|".join(names)}) command="${{COMP_WORDS[1]}}" ;; esac',
        "    fi",
        '    case "$command $previous" in',
        *values,
        "    esac",
        '    if [ -z "$words" ]; then case "$current" in -*) case "$command" in',
        *options,
        "    esac ;; esac; fi",
        '    if [ -z "$words" ]; then case "$command" in',
        *words,
        "    esac; fi",
        '    if [ -z "$words" ] && [ "$COMP_CWORD" -eq 1 ]; then',
        f"        words={_quoted(' '.join(names))}",
        "    fi",
        '    COMPREPLY=($(compgen -W "$words" -- "$current"))',
        "}",
        f"complete -o default -F _microgpt_tui {NAME}",
    ]
    return "\n".join(lines) + "\n"


def _fish() -> str:
    lines = [f"# fish completion of {NAME}, made by `{NAME} completion fish`", f"complete -c {NAME} -e"]
    names = " ".join(name for name in PARSERS if name)
    none = f"not __fish_seen_subcommand_from {names}"
    for name, does, options, arguments in _commands():
        seen = f"__fish_seen_subcommand_from {name}" if name else none
        here = f"complete -c {NAME} -n {_quoted(seen)}"
        if name:
            lines.append(
                f"complete -c {NAME} -n {_quoted(f'{none}; and __fish_is_first_token')} -a {name} -d {_quoted(does)}"
            )
        for option in options:
            flags = " ".join(f"-l {k[2:]}" if k.startswith("--") else f"-s {k[1:]}" for k in option.names)
            value = " -r" if option.takes else ""
            if option.words:
                value = f" -x -a {_quoted(' '.join(map(_quoted, option.words)))}"
            elif option.takes and not option.is_file:
                value = " -x"
            lines.append(f"{here} {flags}{value} -d {_quoted(option.help)}")
        for argument in arguments:
            if argument.words:
                lines.append(f"{here} -f -a {_quoted(' '.join(argument.words))} -d {_quoted(argument.help)}")
    return "\n".join(lines) + "\n"


def _zsh() -> str:
    """``_arguments`` for each command; within brackets and after colons its own signs are escaped."""
    lines = [
        f"#compdef {NAME}", f"# zsh completion of {NAME}, made by `{NAME} completion zsh`", "_microgpt_tui() {",
        "  local -a commands", "  commands=(",
    ]  # fmt: skip
    cases = []
    for name, does, options, arguments in _commands():
        if name:
            lines.append(f"    {_quoted(f'{name}:{does}')}")
        rows = []
        for option in options:
            among = "_files" if option.is_file else _among(option.words)
            value = f":{option.takes}:{among}" if option.takes else ""
            rows += [_quoted(f"*{key}[{_bare(option.help)}]{value}") for key in option.names]
        for argument in arguments:
            rows.append(
                _quoted(f":{argument.takes}:" + (f"({' '.join(argument.words)})" if argument.words else "_files"))
            )
        if name:
            cases.append(f"    {name}) shift words; (( CURRENT-- )); _arguments {' '.join(rows)} ;;")
        else:
            cases.append(f"    *) (( CURRENT == 2 )) && _describe command commands; _arguments {' '.join(rows)} ;;")
    cases.sort(key=lambda row: row.startswith("    *)"))
    lines += ["  )", "  case $words[2] in", *cases, "  esac", "}"]
    lines += [
        'if [ "$funcstack[1]" = "_microgpt-tui" ]; then _microgpt_tui "$@"; else compdef _microgpt_tui ' + NAME + "; fi"
    ]
    return "\n".join(lines) + "\n"


def _among(words: Iterable[str]) -> str:
    """A list of words; nothing, rather than files, where none is known."""
    escaped = [word.replace(":", "\\:").replace(" ", "\\ ") for word in words]
    return f"({' '.join(escaped)})" if escaped else " "


def _bare(text: str) -> str:
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
