"""The command line. Textual is imported only when a screen is opened, a session only when a script is run."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from microgpt_tui.session.process import Launch

_PANES = ("attention", "tokens", "weights", "training", "variables", "graph")
DONE, DIFFERENT, BAD_INPUT = 0, 1, 2
"""Exit statuses: all well; a command failed or found something wrong, or two runs differ; nothing could be run."""

_HISTORY_MEMORY, _VISITORS_MEMORY = 512, 128
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

Without SCRIPT: the GPT that ships with microgpt-tui, on the bundled corpus of names.
Arguments of the script go after `--`. Exit status: 0 all well, 1 a difference, a finding of check or
rootcause or a failed command, 2 bad input: nothing ran.
"""


class _Parser(argparse.ArgumentParser):
    """Says where the script's own arguments go."""

    def error(self, message: str) -> NoReturn:
        if message.startswith("unrecognized arguments"):
            message += f"\nArguments for the script go after `--`: {self.prog} SCRIPT -- ARGS"
        super().error(message)


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from microgpt_tui import __version__

        print(f"microgpt-tui {__version__}")
        parser.exit()


def _parser(command: str, description: str) -> _Parser:
    prog = f"microgpt-tui {command}".strip()
    return _Parser(
        prog=prog, description=description, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter,
        usage=None if command else "microgpt-tui [SCRIPT] [--data FILE] [--set NAME=VALUE ...] [-- ARGS]\n"
        "       microgpt-tui COMMAND [SCRIPT] ...",
    )  # fmt: skip


def add_script_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that every command with a script takes; ``launch_from`` reads them."""
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
        "--history-memory", metavar="MB", type=_megabytes, default=_HISTORY_MEMORY,
        help="memory for going back: checkpoints of the script and recorded steps (default: 512; 0: no checkpoints)",
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


def _screen(words: list[str], script_args: list[str]) -> int:
    parser = _parser("", "A time-travelling terminal debugger for pure-Python, scalar-autograd GPT scripts.")
    parser.epilog = _COMMANDS
    add_script_arguments(parser)
    parser.add_argument("--theme", metavar="NAME", default="", help="colours of the screen: dark, light or projector")
    _add_history_memory(parser)
    _add_web(parser)
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    options = parser.parse_args(words)
    from microgpt_tui.headless.launch import InputError, launch_from

    launch = launch_from(options, script_args, recordings=True)
    if options.web:
        return _serve(options, words, script_args)
    launch.read_only, launch.in_browser = options.read_only, options.browser is not None
    if launch.in_browser and not options.stdin:
        launch.stdin = None  # ours is what the visitor types
    if options.browser is None and not (sys.stdin.isatty() and sys.stdout.isatty()):
        which = "stdin" if not sys.stdin.isatty() else "stdout"
        name = f" {options.script}" if options.script else ""
        raise InputError(
            f"{which} is not a terminal: the screen cannot open.\n"
            f"Without a screen: microgpt-tui run{name} --steps 10, or microgpt-tui show{name} --at 1:100."
        )
    with _environment(TEXTUAL_FPS="120", **({} if options.browser is None else {"TEXTUAL_COLOR_SYSTEM": "truecolor"})):
        from microgpt_tui.tui.opening import run_app
        from microgpt_tui.tui.themes import LOOKS

    if options.theme and options.theme not in LOOKS:
        raise InputError(f"no theme {options.theme!r}: there are {', '.join(LOOKS)}")
    return int(run_app(launch, theme=options.theme, size=options.browser))


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


def _serve(options: argparse.Namespace, words: list[str], script_args: list[str]) -> int:
    """Serve the screen; each visitor's is this command line again, without what is the server's."""
    from microgpt_tui.headless.launch import InputError

    if options.script == "-":
        raise InputError("--web opens the script for every visitor: give a file, not standard input.")
    try:
        from microgpt_tui.web.server import serve
    except ImportError as error:
        raise InputError(
            f"--web needs the 'web' extra ({error.name} is missing): pip install 'microgpt-tui[web]'"
        ) from None
    mine = [word for word in words if word != "--web"]
    if options.history_memory == _HISTORY_MEMORY:
        mine.insert(0, f"--history-memory={_VISITORS_MEMORY}")
    return serve(
        [*mine, "--", *script_args], host=options.host, port=options.port, limit=options.sessions,
        read_only=options.read_only,
    )  # fmt: skip


@contextmanager
def _environment(**wanted: str) -> Iterator[None]:
    """What Textual reads from the environment when it is imported; the script is to see nothing of it.

    Its frame rate: a key's answer waits for up to three frames (focus, layout, drawing), at Textual's own 60 for 50 ms.
    """
    mine = {name: text for name, text in wanted.items() if name not in os.environ}
    os.environ.update(mine)
    try:
        yield
    finally:
        for name in mine:
            del os.environ[name]


def _run(words: list[str], script_args: list[str]) -> int:
    parser = _parser("run", "Run a script under the recorder: losses, events, nodes and time per training step.")
    add_script_arguments(parser)
    _add_steps(parser)
    _add_json(parser)
    _add_history_memory(parser)
    _add_commands(parser)
    parser.epilog = (
        "A command that fails is the last one; those after it are named on stderr. docs/commands.md lists the commands."
    )
    options = parser.parse_args(words)
    from microgpt_tui.headless.launch import launch_from
    from microgpt_tui.headless.run import run

    return run(
        launch_from(options, script_args, recordings=True), options.steps, options.commands, as_json=options.json
    )


def _commands_in(file: str) -> list[str]:
    from microgpt_tui.headless.run import commands_in

    return commands_in(file)


def _verify(words: list[str], script_args: list[str]) -> int:
    parser = _parser(
        "verify",
        "Run a script bare and recorded; compare stdout, exit status, every loss and every parameter to the last bit.",
    )
    add_script_arguments(parser)
    _add_steps(parser)
    _add_json(parser)
    options = parser.parse_args(words)
    from microgpt_tui.headless.launch import launch_from
    from microgpt_tui.headless.verify import verify

    return verify(launch_from(options, script_args), options.steps, as_json=options.json)


def _show(words: list[str], script_args: list[str]) -> int:
    parser = _parser(
        "show", "One moment as text: where the script is, the value, its formula, its gradient ledger; or a pane."
    )
    add_script_arguments(parser)
    _add_moment(parser)
    parser.add_argument("--pane", choices=_PANES, help="what this pane shows at the moment")
    _add_json(parser)
    options = parser.parse_args(words)
    from microgpt_tui.headless.launch import launch_from
    from microgpt_tui.headless.show import show

    return show(launch_from(options, script_args, recordings=True), options.at, options.pane, as_json=options.json)


def _compare(words: list[str], script_args: list[str]) -> int:
    parser = _parser("compare", "Two scripts on the same data: the first operation that differs, what comes of it.")
    add_script_arguments(parser)
    parser.add_argument("mine", metavar="MINE", nargs="?", help="the changed script; alone: against the bundled GPT")
    parser.add_argument("--steps", metavar="N", type=_count, default=1, help="training steps to compare (default: 1)")
    _add_json(parser)
    options = parser.parse_args(words)
    from microgpt_tui.headless.compare import compare
    from microgpt_tui.headless.launch import InputError, launch_from

    if options.script is None:
        raise InputError("compare what? microgpt-tui compare MINE, against the bundled GPT, or compare BASE MINE.")
    base = argparse.Namespace(**{**vars(options), "script": options.script if options.mine else None})
    mine = argparse.Namespace(**{**vars(options), "script": options.mine or options.script})
    ours, theirs = (launch_from(side, list(script_args)) for side in (base, mine))
    if not options.mine:  # the bundled GPT has a corpus with it: the other is to read the same
        theirs.data = ours.data
    return compare(ours, theirs, options.steps, as_json=options.json)


def _check(words: list[str], script_args: list[str]) -> int:
    parser = _parser("check", "Audit one training step: what is wrong, what was tested, what could not be.")
    add_script_arguments(parser)
    parser.add_argument("--steps", metavar="N", type=_count, help="examine training step N (default: 3, or the last)")
    parser.add_argument("--parameters", metavar="N", type=_count, default=20, help="parameters moved a matrix (20)")
    parser.add_argument(
        "--only", metavar="TEXT", default="", help="only functions and matrices with TEXT in their names"
    )
    _add_json(parser)
    options = parser.parse_args(words)
    from microgpt_tui.headless.check import check
    from microgpt_tui.headless.launch import launch_from

    return check(
        launch_from(options, script_args), options.steps, options.only, options.parameters, as_json=options.json
    )


def _record(words: list[str], script_args: list[str]) -> int:
    parser = _parser("record", "Run a script and keep what is recorded in a file, which `microgpt-tui open` reads.")
    add_script_arguments(parser)
    _add_steps(parser)
    parser.add_argument(
        "--only", metavar="N,N", type=_counts, default=[], help="training steps to record whole (default: every one)"
    )
    parser.add_argument("-o", dest="output", metavar="FILE", required=True, help="the recording, such as run.mgt")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE where there is one")
    options = parser.parse_args(words)
    from microgpt_tui.headless.launch import launch_from
    from microgpt_tui.headless.record import record

    launch = launch_from(options, script_args)
    return record(launch, Path(options.output), options.steps, options.only, overwrite=options.overwrite)


def _repl(words: list[str], script_args: list[str]) -> int:
    parser = _parser("repl", "The debugger's commands line by line, as plain text: at a prompt, or from a pipe.")
    add_script_arguments(parser)
    _add_history_memory(parser)
    _add_commands(parser)
    options = parser.parse_args(words)
    from microgpt_tui.headless.launch import launch_from
    from microgpt_tui.headless.repl import repl

    return repl(launch_from(options, script_args, recordings=True), options.commands)


def _open(words: list[str], script_args: list[str]) -> int:
    return _screen(words, script_args)


def _new(words: list[str], script_args: list[str]) -> int:
    parser = _parser("new", "Write a copy of the bundled GPT, to modify. Never overwrites.")
    parser.add_argument("file", metavar="FILE", help="where to write it")
    options = parser.parse_args(words)
    from pathlib import Path

    from microgpt_tui.headless.new import write_copy

    print(write_copy(Path(options.file)))
    return DONE


def _export(words: list[str], script_args: list[str]) -> int:
    parser = _parser("export", "Write pictures and tables of a moment.")
    add_script_arguments(parser)
    from microgpt_tui.graph.command import add_arguments

    add_arguments(parser)
    options = parser.parse_args(words)
    from microgpt_tui.headless.export import export
    from microgpt_tui.headless.launch import launch_from

    launch = launch_from(options, script_args, recordings=True)
    return _export_screen(launch, options) if options.what == "screen" else export(launch, options)


def _export_screen(launch: Launch, options: argparse.Namespace) -> int:
    """The one picture that needs the screen's code."""
    from microgpt_tui.graph.files import ExportError, check_free
    from microgpt_tui.headless.export import at_moment
    from microgpt_tui.headless.launch import InputError
    from microgpt_tui.tui.screenshot import write_screen

    if not options.output:
        raise InputError("export --what screen: say where to: -o FILE.svg")
    path = Path(options.output)
    try:
        check_free(path, options.overwrite)
        with at_moment(launch, options.at) as (debugger, _, _):
            written = write_screen(
                debugger, path, options.format or "", options.screen, options.keys, overwrite=options.overwrite
            )
    except ExportError as error:
        raise InputError(f"export: {error}") from None
    print(written)
    return 0


_BY_NAME: dict[str, Callable[[list[str], list[str]], int]] = {
    "run": _run, "check": _check, "verify": _verify, "show": _show, "new": _new, "compare": _compare,
    "export": _export, "record": _record, "open": _open, "repl": _repl,
}  # fmt: skip


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    cut = words.index("--") if "--" in words else len(words)
    words, script_args = words[:cut], words[cut + 1 :]
    command = _BY_NAME.get(words[0]) if words else None
    from microgpt_tui.headless.terminal import escaped

    with escaped():
        try:
            with _recordings(words):
                status = command(words[1:], script_args) if command else _screen(words, script_args)
            sys.stdout.flush()
            return status
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:  # `| head`: nobody reads on
            _write_no_more()
            return DONE
        except Exception as error:
            print(f"microgpt-tui: {_told(error)}", file=sys.stderr)
            return BAD_INPUT


@contextmanager
def _recordings(words: Sequence[str]) -> Iterator[None]:
    """Within, a damaged recording among the words is told as such, whatever fails over it."""
    named = [Path(word) for word in words if word.endswith(".mgt")]
    if len(named) != 1 or words[0] == "record":
        yield
        return
    from microgpt_tui.headless.launch import InputError
    from microgpt_tui.session.recordings import reading

    try:
        yield
    except (InputError, OSError):
        raise
    except Exception:
        with reading(named[0]):
            raise


def _told(error: Exception) -> str:
    """What a person is told of a fault that is none of ours. Raises any other."""
    from microgpt_tui.headless.launch import InputError

    if isinstance(error, InputError) or type(error).__name__ == "RecordingError":
        return str(error)
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
        raise error
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}. Make room there, or name another folder for it: TMPDIR=FOLDER."
    _write_no_more()
    return f"what is to be shown cannot be written to stdout: {error.strerror}."


def _write_no_more() -> None:
    """What is still to be written to stdout is let go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
