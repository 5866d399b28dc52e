"""Runs the script as ``__main__``, as ``python SCRIPT ARGS`` would, and reports how it ended."""

from __future__ import annotations

import ast
import gc
import importlib.machinery
import os
import signal
import socket
import sys
import traceback
from types import FrameType, ModuleType, TracebackType
from typing import NoReturn

from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.debuggee.record.kinds import Scope
from microgpt_tui.debuggee.rewrite.sites import SiteRecord
from microgpt_tui.debuggee.run.control import Control, Ended
from microgpt_tui.debuggee.run.evaluate import Questions, failing_operation
from microgpt_tui.debuggee.run.load import Loaded, ModulesBeside, Refusal, load
from microgpt_tui.protocol import frames
from microgpt_tui.protocol.codes import ALTERED_LINE, SiteKind
from microgpt_tui.protocol.messages import ScriptRead, Site, Start, Stopped
from microgpt_tui.protocol.stops import Exited, Finished, Interrupted, Raised, Refused, Stop

_OURS = os.path.dirname(os.path.abspath(__file__))
MOST_FRAMES = 40
"""Frames of a long traceback that are told, from either end."""
LONGEST_MESSAGE = 2000


def main() -> NoReturn:
    """Obey the first command (what to run), run it, and end as the script ends."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    start, _ = frames.unpack(frames.reader(channel))
    assert isinstance(start, Start)
    path = start.script
    try:
        loaded = load(path, start.overrides)
    except Refusal as error:
        channel.sendall(frames.pack(Stopped(Refused(str(error)))))
        os._exit(2)
    altered_site = len(loaded.sites)
    loaded.sites.append(SiteRecord(SiteKind.UPDATE, 0, ALTERED_LINE, 0, ALTERED_LINE, 0))
    recorder = Recording(
        loaded.sites,
        (loaded.autograd.data_name, loaded.autograd.grad_name),
        {name: i for i, (name, _) in enumerate(loaded.files)},
    )
    recorder.train_site, recorder.sample_site = loaded.train_site, loaded.sample_site
    recorder.modules |= set(loaded.modules)
    recorder.total_of = lambda frame: _evaluate_total(loaded.total_steps, frame)
    control = Control(channel, recorder)
    questions = Questions(recorder, altered_site, control.send_events)
    questions.post_mortem = lambda: control.post_mortem
    control.handlers.update(questions.handlers())
    script = _description(loaded)
    control.send(script)
    control.breaks.begin(script)
    module = _main_module(path, start.args, loaded)
    recorder.main_globals = module.__dict__
    first_site = next(i for i, r in enumerate(loaded.sites) if r is not None and r.kind is SiteKind.MODULE)
    recorder.start_stack = [Scope(first_site, SiteKind.MODULE)]
    recorder.install()
    control.go(start.goal)
    control.listen()
    code = _run(loaded, module, recorder, control)
    _leave(code)


def _description(loaded: Loaded) -> ScriptRead:
    sites = tuple(
        None if r is None else
        Site(i, r.kind, r.file, r.line, r.column, r.end_line, r.end_column, r.name, r.statement, r.names)
        for i, r in enumerate(loaded.sites)
    )  # fmt: skip
    autograd = loaded.autograd
    return ScriptRead(
        tuple(loaded.files), sites, autograd.node.name, autograd.data_name, autograd.grad_name,
        loaded.train_site, loaded.sample_site, loaded.ordered_children,
    )  # fmt: skip


def _evaluate_total(expression: ast.expr | None, frame: FrameType) -> int | None:
    if expression is None:
        return None
    try:
        value = eval(  # names, attributes and arithmetic of the script's own: `plain` has seen to it
            compile(ast.fix_missing_locations(ast.Expression(expression)), "<range>", "eval"),
            frame.f_globals, frame.f_locals,
        )  # fmt: skip
    except Exception:  # whatever it raises, the script will meet it itself
        return None
    return value if type(value) is int else None


def _main_module(path: str, args: tuple[str, ...], loaded: Loaded) -> ModuleType:
    module = ModuleType("__main__")
    whole = os.path.abspath(path)  # as Python has it since 3.9; sys.argv[0] stays as it was given
    loader = importlib.machinery.SourceFileLoader("__main__", whole)
    module.__dict__.update(__file__=whole, __builtins__=__builtins__, __cached__=None, __loader__=loader)
    sys.modules["__main__"] = module
    sys.argv = [path, *args]
    sys.path[0] = os.path.dirname(os.path.abspath(path))
    sys.meta_path.insert(0, ModulesBeside(loaded.modules))
    return module


def _depth() -> int:
    frame: FrameType | None = sys._getframe()
    count = 0
    while frame is not None:
        frame, count = frame.f_back, count + 1
    return count


def _leave_recursion_to_the_script(ours: int) -> None:
    """The script has the depth that it would have without our frames below it, and is told the limit it knows."""
    limit, set_limit = sys.getrecursionlimit, sys.setrecursionlimit
    set_limit(limit() + ours)

    def getrecursionlimit() -> int:
        return limit() - ours

    def setrecursionlimit(limit: int, /) -> None:
        set_limit(limit + ours)

    sys.getrecursionlimit, sys.setrecursionlimit = getrecursionlimit, setrecursionlimit


def _run(loaded: Loaded, module: ModuleType, recorder: Recording, control: Control) -> int | str | None:
    """Execute the script; its exit status, with everything told to the debugger."""
    _leave_recursion_to_the_script(_depth())
    os_exit = os._exit

    def leave_at_once(status: int) -> NoReturn:
        try:
            control.stop(Exited("os._exit", status=status))
        finally:
            os_exit(status)

    os._exit = leave_at_once
    gc.disable()
    status: int | str | None = 0
    try:
        exec(loaded.code, module.__dict__)
        _end(recorder, control, Finished())
    except Ended:
        os_exit(0)
    except SystemExit as leaving:
        status = leaving.code
        line = _last_line(leaving.__traceback__, recorder)
        _end(recorder, control, Exited("sys.exit", line, status=_status(leaving.code)))
    except KeyboardInterrupt as interrupt:
        _show(interrupt)
        _end(recorder, control, Interrupted(status=-int(signal.SIGINT)))
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException as error:
        status = 1
        control.post_mortem = error.__traceback__
        _show(error)
        _end(recorder, control, _raised(recorder, error))
    os._exit = os_exit
    return status


def _raised(recorder: Recording, error: BaseException) -> Raised:
    own = [
        (recorder.files[f.filename], f.lineno or 0, f.name)
        for f in traceback.extract_tb(error.__traceback__) if f.filename in recorder.files
    ]  # fmt: skip
    shown = own[:MOST_FRAMES] + own[-MOST_FRAMES:] if len(own) > 2 * MOST_FRAMES else own
    message = str(error)[:LONGEST_MESSAGE]
    operation, operands, line = failing_operation(recorder, error.__traceback__)
    return Raised(type(error).__name__, message, tuple(shown), len(own), operation, operands, line)


def _end(recorder: Recording, control: Control, stop: Stop) -> None:
    """The script is over: its last episode goes to the debugger whole, and the debugger may still ask."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        pass
    try:
        if recorder.episode_kind == "setup":
            recorder.keep = True
            recorder.end_of_setup(None)
            recorder.episode_kind = "over"
            recorder.log.clear()
            recorder.open(None)
            control.send(Stopped(stop, control.breaks.report()))
        else:
            if not recorder.is_empty():
                control.breaks.episode_ends()
                control.send_start()
                control.send_events()
                if isinstance(stop, Finished):
                    recorder.keep = True
                    recorder.close()
            control.send(Stopped(stop, control.breaks.report()))
        control.stopped = True
        while True:
            control.obey()  # going on is over: only questions and the end
    except (Ended, BrokenPipeError, ConnectionError):
        pass


def _show(error: BaseException) -> None:
    """Print the traceback as Python would, without the debugger's own frames."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OURS):
        trace = trace.tb_next
    error.__traceback__ = _without_ours(trace)
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except Exception:  # the script's own excepthook may be broken: Python prints the error itself then
        sys.__excepthook__(type(error), error, error.__traceback__)


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    if trace is None:
        return None
    kept: list[TracebackType] = []
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(_OURS):
            kept.append(trace)
        trace = trace.tb_next
    following: TracebackType | None = None
    for item in reversed(kept):
        item.tb_next = following
        following = item
    return following


def _last_line(trace: TracebackType | None, recorder: Recording) -> int:
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in recorder.files:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _status(code: object) -> int:
    return 0 if code is None else code if isinstance(code, int) else 1


def _leave(code: int | str | None) -> NoReturn:
    """End the process with the script's status, after its exit handlers."""
    sys.exit(code)
