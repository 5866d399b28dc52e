"""The command line. Textual is imported only when a screen is opened, a session only when a script is run."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from microgpt_tui.headless.arguments import HISTORY_MEMORY, PARSERS, VISITORS_MEMORY

if TYPE_CHECKING:
    from microgpt_tui.session.process import Launch

DONE, DIFFERENT, BAD_INPUT, OURS = 0, 1, 2, 70
"""Exit statuses: all well; a command failed or found something wrong, or two runs differ; nothing could be run; a fault
of this program (EX_SOFTWARE)."""


def _screen(options: argparse.Namespace, script_args: list[str]) -> int:
    from microgpt_tui.headless.launch import InputError, launch_from

    launch = launch_from(options, script_args, recordings=True)
    if options.web:
        return _serve(options, script_args)
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
    return int(run_app(launch, theme=options.theme, size=options.browser, startup=options.commands))


def _serve(options: argparse.Namespace, script_args: list[str]) -> int:
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
    mine = [word for word in options.words if word != "--web"]
    if options.history_memory == HISTORY_MEMORY:
        mine.insert(0, f"--history-memory={VISITORS_MEMORY}")
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


def _run(options: argparse.Namespace, script_args: list[str]) -> int:
    from microgpt_tui.headless.launch import launch_from
    from microgpt_tui.headless.run import run

    launch = launch_from(options, script_args, recordings=True)
    return run(launch, options.steps, [*launch.first, *options.commands], as_json=options.json)


def _verify(options: argparse.Namespace, script_args: list[str]) -> int:
    from microgpt_tui.headless.launch import launch_from
    from microgpt_tui.headless.verify import verify

    return verify(launch_from(options, script_args), options.steps, as_json=options.json)


def _show(options: argparse.Namespace, script_args: list[str]) -> int:
    from microgpt_tui.headless.launch import launch_from
    from microgpt_tui.headless.show import show

    return show(launch_from(options, script_args, recordings=True), options.at, options.pane, as_json=options.json)


def _compare(options: argparse.Namespace, script_args: list[str]) -> int:
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


def _check(options: argparse.Namespace, script_args: list[str]) -> int:
    from microgpt_tui.headless.check import check
    from microgpt_tui.headless.launch import launch_from

    return check(
        launch_from(options, script_args), options.steps, options.only, options.parameters, as_json=options.json
    )


def _record(options: argparse.Namespace, script_args: list[str]) -> int:
    from microgpt_tui.headless.launch import launch_from
    from microgpt_tui.headless.record import record

    launch = launch_from(options, script_args)
    return record(launch, Path(options.output), options.steps, options.only, overwrite=options.overwrite)


def _repl(options: argparse.Namespace, script_args: list[str]) -> int:
    from microgpt_tui.headless.launch import launch_from
    from microgpt_tui.headless.repl import repl

    launch = launch_from(options, script_args, recordings=True)
    return repl(launch, [*launch.first, *options.commands])


def _new(options: argparse.Namespace, script_args: list[str]) -> int:
    from microgpt_tui.headless.new import write_copy

    print(write_copy(Path(options.file)))
    return DONE


def _completion(options: argparse.Namespace, script_args: list[str]) -> int:
    from microgpt_tui.headless.completion import completion

    print(completion(options.shell), end="")
    return DONE


def _export(options: argparse.Namespace, script_args: list[str]) -> int:
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


_BY_NAME: dict[str, Callable[[argparse.Namespace, list[str]], int]] = {
    "": _screen, "run": _run, "check": _check, "verify": _verify, "show": _show, "compare": _compare, "export": _export,
    "record": _record, "open": _screen, "repl": _repl, "new": _new, "completion": _completion,
}  # fmt: skip


def _open_streams() -> None:
    """Standard streams that we were started without lead to nowhere: their numbers are not to become another file's."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit status."""
    _open_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    cut = words.index("--") if "--" in words else len(words)
    words, script_args = words[:cut], words[cut + 1 :]
    name = words.pop(0) if words and words[0] in _BY_NAME else ""
    from microgpt_tui.headless.terminal import escaped

    with escaped():
        try:
            options = PARSERS[name]().parse_args(words)
            options.words = words
            with _recordings(name, words):
                status = _BY_NAME[name](options, script_args)
            sys.stdout.flush()
            return status
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:  # `| head`: nobody reads on
            _write_no_more()
            return DONE
        except Exception as error:
            told = _told(error)
            if told is None:  # a fault of ours: what of the script is in its text is not to reach the terminal raw
                import traceback

                traceback.print_exc()
                return OURS
            print(f"microgpt-tui: {told}", file=sys.stderr)
            return BAD_INPUT


@contextmanager
def _recordings(command: str, words: Sequence[str]) -> Iterator[None]:
    """Within, a damaged recording among the words is told as such, whatever fails over it."""
    named = [Path(word) for word in words if word.endswith(".mgt")]
    if len(named) != 1 or command == "record":
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


def _told(error: Exception) -> str | None:
    """What a person is told of a fault that is none of ours; None of any other."""
    from microgpt_tui.headless.launch import InputError

    if isinstance(error, InputError) or type(error).__name__ == "RecordingError":
        return str(error)
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
        return None
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}. Make room there, or name another folder for it: TMPDIR=FOLDER."
    _write_no_more()
    return f"what is to be shown cannot be written to stdout: {error.strerror}."


def _write_no_more() -> None:
    """What is still to be written to stdout is let go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
