"""Runs the script as ``__main__``, as ``python SCRIPT ARGS`` would, and reports how it ended."""

from __future__ import annotations

import ast
import gc
import os
import signal
import socket
import sys
from types import FrameType, ModuleType
from typing import NoReturn

from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.debuggee.record.kinds import Scope
from microgpt_tui.debuggee.rewrite.sites import SiteRecord
from microgpt_tui.debuggee.run.channel import Channel, Ended
from microgpt_tui.debuggee.run.checkpoints import Checkpoints
from microgpt_tui.debuggee.run.control import Control, flush_output
from microgpt_tui.debuggee.run.evaluate import Questions
from microgpt_tui.debuggee.run.load import Loaded, Refusal, load
from microgpt_tui.debuggee.run.main_module import leave_recursion_to_the_script, main_module
from microgpt_tui.debuggee.run.tracebacks import last_line, show, told
from microgpt_tui.protocol.codes import ALTERED_LINE, SiteKind
from microgpt_tui.protocol.messages import ScriptRead, Site, Start, Stopped
from microgpt_tui.protocol.stops import Exited, Finished, Interrupted, Refused, Stop


def main() -> NoReturn:
    """Obey the first command (what to run), run it, and end as the script ends."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.set_inheritable(False)
    channel = Channel(connection)
    start = channel.receive()
    assert isinstance(start, Start)
    try:
        loaded = load(start.script, start.overrides)
    except Refusal as error:
        channel.send(Stopped(Refused(str(error))))
        os._exit(2)
    altered_site = len(loaded.sites)
    loaded.sites.append(SiteRecord(SiteKind.UPDATE, 0, ALTERED_LINE, 0, ALTERED_LINE, 0))
    recorder = _recorder(loaded)
    control = Control(channel, recorder)
    questions = Questions(recorder, altered_site, control.report.events)
    control.handlers.update(questions.handlers())
    script = _description(loaded)
    channel.send(script)
    control.breaks.begin(script)
    module = main_module(start.script, start.args, loaded)
    recorder.main_globals = module.__dict__
    recorder.install()
    if start.checkpoints:
        Checkpoints(control, start.checkpoints, start.lifeline)
    control.go(start.goal)
    control.listen()
    sys.exit(_run(loaded, module, control, questions))


def _recorder(loaded: Loaded) -> Recording:
    made = Recording(
        loaded.sites,
        (loaded.autograd.data_name, loaded.autograd.grad_name),
        {name: i for i, (name, _) in enumerate(loaded.files)},
    )
    made.train_sites, made.makers = frozenset(loaded.train_sites), loaded.makers
    made.modules |= set(loaded.modules)
    made.total_of = lambda frame: _evaluate_total(loaded.total_steps, frame)
    first_site = next(i for i, r in enumerate(loaded.sites) if r is not None and r.kind is SiteKind.MODULE)
    made.start_stack = [Scope(first_site, SiteKind.MODULE)]
    return made


def _description(loaded: Loaded) -> ScriptRead:
    sites = tuple(
        None if r is None else
        Site(i, r.kind, r.file, r.line, r.column, r.end_line, r.end_column, r.name, r.statement, r.names)
        for i, r in enumerate(loaded.sites)
    )  # fmt: skip
    autograd = loaded.autograd
    return ScriptRead(
        tuple(loaded.files), sites, autograd.node.name, autograd.data_name, autograd.grad_name,
        loaded.train_sites, loaded.sample_sites, loaded.ordered_children,
    )  # fmt: skip


def _evaluate_total(expressions: tuple[ast.expr, ...], frame: FrameType) -> int | None:
    total = 0
    for expression in expressions:
        try:
            value = eval(  # names, attributes and arithmetic of the script's own: `plain` has seen to it
                compile(ast.fix_missing_locations(ast.Expression(expression)), "<range>", "eval"),
                frame.f_globals, frame.f_locals,
            )  # fmt: skip
        except Exception:  # whatever it raises, the script will meet it itself
            return None
        if type(value) is not int:
            return None
        total += value
    return total if expressions else None


def _run(loaded: Loaded, module: ModuleType, control: Control, questions: Questions) -> int | str | None:
    """Execute the script; its exit status, with everything told to the debugger."""
    recorder = control.recorder
    leave_recursion_to_the_script()
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
        _end(control, Finished())
    except Ended:
        os_exit(0)
    except SystemExit as leaving:
        status = leaving.code
        line = last_line(leaving.__traceback__, recorder)
        _end(control, Exited("sys.exit", line, status=_status(leaving.code)))
    except KeyboardInterrupt as interrupt:
        show(interrupt)
        _end(control, Interrupted(status=-int(signal.SIGINT)))
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException as error:
        status = 1
        questions.post_mortem = error.__traceback__
        show(error)
        _end(control, told(recorder, error))
    os._exit = os_exit
    return status


def _end(control: Control, stop: Stop) -> None:
    """The script is over: its last episode goes to the debugger whole, and the debugger may still ask."""
    flush_output()
    try:
        _send_last_episode(control, whole=isinstance(stop, Finished))
        control.tell(stop)
        control.stopped = True
        while True:
            control.obey()  # going on is over: only questions and the end
    except Ended:
        pass


def _send_last_episode(control: Control, *, whole: bool) -> None:
    recorder = control.recorder
    if recorder.episode_kind == "setup":
        recorder.keep = True
        recorder.end_of_setup(None)
        recorder.episode_kind = "over"
        recorder.log.clear()
        recorder.open(None)
    elif not recorder.is_empty():
        control.breaks.episode_ends()
        control.report.beginning()
        control.report.events()
        if whole:
            recorder.keep = True
            recorder.close()


def _status(code: object) -> int:
    return 0 if code is None else code if isinstance(code, int) else 1
