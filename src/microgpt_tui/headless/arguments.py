"""The arguments of every command, as parsers: what ``--help`` says, and what shells complete."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NoReturn

PANES = ("attention", "tokens", "weights", "training", "variables", "graph", "map", "residual")
"""What ``show --pane`` takes."""
SHELLS = ("bash", "zsh", "fish")
HISTORY_MEMORY, VISITORS_MEMORY = 512, 128
"""Megabytes for going back; the second for each visitor of a server."""

_COMMANDS = """\
commands (a script of that name can be given as ./run):
  run [SCRIPT]         run without a screen: losses, events, nodes and time per training step
  check [SCRIPT]       what is wrong with it, what was tested, and what was not
  verify [SCRIPT]      prove that recording changes nothing: compare with `python SCRIPT`, to the last bit
  show [SCRIPT] --at   one moment as text: where, value, formula, gradient ledger
  compare [BASE] MINE  two scripts on the same data: the first operation that differs, and what comes of it
  export [SCRIPT]      write pictures and tables
  record [SCRIPT] -o FILE.mgt   run a script and keep what is recorded in a file
  open FILE.mgt        look at a recording; run, show and export take one too
  repl [SCRIPT]        the debugger's commands line by line: plain text, for a pipe or a screen reader
  new FILE             write a copy of the bundled GPT, to modify
  completion SHELL     what bash, zsh or fish need to complete all of this

Without SCRIPT: the GPT that ships with microgpt-tui, on the bundled corpus of names.
Arguments of the script go after `--`. Exit status: 0 all well, 1 a difference, a finding of check or
rootcause or a failed command, 2 bad input: nothing ran.
"""


class Parser(argparse.ArgumentParser):
    """Says where the script's own arguments go."""

    def error(self, message: str) -> NoReturn:
        if message.startswith("unrecognized arguments"):
            message += f"\nArguments for the script go after `--`: {self.prog} SCRIPT -- ARGS"
        super().error(message)


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"microgpt-tui {version('microgpt-tui')}")
        parser.exit()


def _parser(command: str, description: str) -> Parser:
    prog = f"microgpt-tui {command}".strip()
    return Parser(
        prog=prog, description=description, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter,
        usage=None if command else "microgpt-tui [SCRIPT] [--data FILE] [--set NAME=VALUE ...] [-- ARGS]\n"
        "       microgpt-tui COMMAND [SCRIPT] ...",
    )  # fmt: skip


def _add_script(parser: argparse.ArgumentParser) -> None:
    """The arguments that every command with a script takes."""
    parser.add_argument("script", metavar="SCRIPT", nargs="?", help="a Python script (default: the bundled GPT)")
    parser.add_argument("-m", dest="module", metavar="MODULE", help="run a module, as `python -m MODULE` does")
    parser.add_argument(
        "--data", metavar="FILE",
        help="offer FILE to the script as ./input.txt, in a private folder in which it finds its own files too",
    )  # fmt: skip
    parser.add_argument("--stdin", metavar="FILE", help="what the script reads as its standard input")
    parser.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[],
        help="override a module-level setting, such as n_layer=2 (can be repeated)",
    )  # fmt: skip
    parser.add_argument("--python", metavar="FILE", help="the Python that runs the script (default: this one)")


def _add_history_memory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--history-memory", metavar="MB", type=_megabytes, default=HISTORY_MEMORY,
        help="memory for going back: checkpoints of the script and recorded steps (default: 512; 0: no checkpoints)",
    )  # fmt: skip


def _add_run_on(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--script", dest="run_on", metavar="FILE",
        help="with a recording: run this script to where the recording stands, and on from there",
    )  # fmt: skip


def _add_moment(parser: argparse.ArgumentParser) -> None:
    from microgpt_tui.protocol.moments import SHORT

    parser.add_argument("--at", metavar="MOMENT", required=True, help=SHORT)


def _add_steps(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--steps", metavar="N", type=_count, help="stop after N training steps (default: run to the end)"
    )


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")


def _add_commands(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c", dest="commands", metavar="COMMAND", action="append", default=[],
        help="a debugger command, such as 'break 107' or 'continue', at the first operation (can be repeated)",
    )  # fmt: skip
    parser.add_argument(
        "-x", dest="commands", metavar="FILE", action="extend", type=_commands_in,
        help="commands from a file, one a line; -c and -x are obeyed in the order given",
    )  # fmt: skip


def _add_web(parser: argparse.ArgumentParser) -> None:
    web = parser.add_argument_group("in a browser (docs/web.md)")
    web.add_argument("--web", action="store_true", help="serve the screen: every visitor gets a session of their own")
    web.add_argument(
        "--port", metavar="N", type=_port, default=8000, help="where to serve (default: 8000; 0: any free)"
    )
    web.add_argument("--host", metavar="ADDRESS", default="127.0.0.1", help="for others too, --read-only then")
    web.add_argument("--sessions", metavar="N", type=_visitors, default=20, help="sessions at once (default: 20)")
    web.add_argument(
        "--read-only", action="store_true", help="nothing can be evaluated, changed or written from the screen"
    )
    web.add_argument("--browser", metavar="SIZE", type=_size, help=argparse.SUPPRESS)


def _commands_in(file: str) -> list[str]:
    from microgpt_tui.headless.run import commands_in

    return commands_in(file)


def _screen() -> Parser:
    parser = _parser("", "A time-travelling terminal debugger for pure-Python, scalar-autograd GPT scripts.")
    parser.epilog = _COMMANDS
    _add_script(parser)
    _add_run_on(parser)
    parser.add_argument("--theme", metavar="NAME", default="", help="colours of the screen: dark, light or projector")
    _add_history_memory(parser)
    _add_commands(parser)
    _add_web(parser)
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    return parser


def _run() -> Parser:
    parser = _parser("run", "Run a script under the recorder: losses, events, nodes and time per training step.")
    _add_script(parser)
    _add_run_on(parser)
    _add_steps(parser)
    _add_json(parser)
    _add_history_memory(parser)
    _add_commands(parser)
    parser.epilog = (
        "A command that fails is the last one; those after it are named on stderr. docs/commands.md lists the commands."
    )
    return parser


def _verify() -> Parser:
    parser = _parser(
        "verify",
        "Run a script bare and recorded; compare stdout, exit status, every loss and every parameter to the last bit.",
    )
    _add_script(parser)
    _add_steps(parser)
    _add_json(parser)
    return parser


def _show() -> Parser:
    parser = _parser(
        "show", "One moment as text: where the script is, the value, its formula, its gradient ledger; or a pane."
    )
    _add_script(parser)
    _add_moment(parser)
    parser.add_argument("--pane", choices=PANES, help="what this pane shows at the moment")
    _add_json(parser)
    return parser


def _compare() -> Parser:
    parser = _parser("compare", "Two scripts on the same data: the first operation that differs, what comes of it.")
    _add_script(parser)
    parser.add_argument("mine", metavar="MINE", nargs="?", help="the changed script; alone: against the bundled GPT")
    parser.add_argument("--steps", metavar="N", type=_count, default=1, help="training steps to compare (default: 1)")
    _add_json(parser)
    return parser


def _check() -> Parser:
    parser = _parser("check", "Audit one training step: what is wrong, what was tested, what could not be.")
    _add_script(parser)
    parser.add_argument("--steps", metavar="N", type=_count, help="examine training step N (default: 3, or the last)")
    parser.add_argument("--parameters", metavar="N", type=_count, default=20, help="parameters moved a matrix (20)")
    parser.add_argument(
        "--only", metavar="TEXT", default="", help="only functions and matrices with TEXT in their names"
    )
    _add_json(parser)
    return parser


def _record() -> Parser:
    parser = _parser("record", "Run a script and keep what is recorded in a file, which `microgpt-tui open` reads.")
    _add_script(parser)
    _add_steps(parser)
    parser.add_argument(
        "--only", metavar="N,N", type=_counts, default=[], help="training steps to record whole (default: every one)"
    )
    parser.add_argument("-o", dest="output", metavar="FILE", required=True, help="the recording, such as run.mgt")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE where there is one")
    return parser


def _repl() -> Parser:
    parser = _parser("repl", "The debugger's commands line by line, as plain text: at a prompt, or from a pipe.")
    _add_script(parser)
    _add_run_on(parser)
    _add_history_memory(parser)
    _add_commands(parser)
    return parser


def _new() -> Parser:
    parser = _parser("new", "Write a copy of the bundled GPT, to modify. Never overwrites.")
    parser.add_argument("file", metavar="FILE", help="where to write it")
    return parser


def _export() -> Parser:
    parser = _parser("export", "Write pictures and tables of a moment.")
    _add_script(parser)
    from microgpt_tui.graph.command import add_arguments

    add_arguments(parser)
    return parser


def _completion() -> Parser:
    parser = _parser("completion", "Print what a shell needs to complete commands, options and debugger commands.")
    parser.epilog = (
        "bash: microgpt-tui completion bash > ~/.local/share/bash-completion/completions/microgpt-tui\n"
        "zsh:  microgpt-tui completion zsh > a folder of $fpath/_microgpt-tui\n"
        "fish: microgpt-tui completion fish > ~/.config/fish/completions/microgpt-tui.fish"
    )
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))
    return parser


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of training steps: 1 or more")
    return number


def _counts(text: str) -> list[int]:
    return sorted({_count(part) for part in text.split(",")})


def _visitors(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of sessions: 1 to 1000")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 1 to 65535, or 0 for any that is free")
    return int(text)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def _megabytes(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of megabytes: 0 or more")
    return number


PARSERS: dict[str, Callable[[], Parser]] = {
    "": _screen, "run": _run, "check": _check, "verify": _verify, "show": _show, "compare": _compare, "export": _export,
    "record": _record, "open": _screen, "repl": _repl, "new": _new, "completion": _completion,
}  # fmt: skip
"""By command; "" is the screen."""
