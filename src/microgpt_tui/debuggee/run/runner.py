"""Runs the script as ``__main__``, as ``python SCRIPT ARGS`` would, and reports how it ended."""

from __future__ import annotations

import ast
import fcntl
import importlib
import os
import resource
import signal
import socket
import sys
from types import FrameType, ModuleType
from typing import NoReturn

from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.debuggee.record.kinds import Scope
from microgpt_tui.debuggee.record.silent import keep_silent, silence
from microgpt_tui.debuggee.rewrite.sites import SiteRecord
from microgpt_tui.debuggee.run.channel import Channel, Ended
from microgpt_tui.debuggee.run.checkpoints import Checkpoints
from microgpt_tui.debuggee.run.control import Control, flush_output
from microgpt_tui.debuggee.run.evaluate import Questions
from microgpt_tui.debuggee.run.hidden import hidden
from microgpt_tui.debuggee.run.load import Loaded, Refusal, load
from microgpt_tui.debuggee.run.main_module import leave_recursion_to_the_script, main_module
from microgpt_tui.debuggee.run.perturb import Examiner
from microgpt_tui.debuggee.run.replaced import replace
from microgpt_tui.debuggee.run.tracebacks import last_line, show, told
from microgpt_tui.protocol.codes import ALTERED_LINE, SiteKind
from microgpt_tui.protocol.messages import ScriptRead, Site, Start, Stopped
from microgpt_tui.protocol.stops import Exited, Finished, Interrupted, Refused, Stop

_leave = os._exit


@hidden
def main(*_: object) -> NoReturn:
    """Obey the first command (what to run), run it, and end as the script ends."""
    del sys.modules["runpy"]  # ours, that has brought us here
    if os.path.dirname(getattr(sys.modules.get("sitecustomize"), "__file__", "")) == sys.argv[0]:
        del sys.modules["sitecustomize"]
    descriptors = {int(name) for name in os.listdir("/dev/fd") if int(name) > 2}
    channel = Channel(socket.socket(fileno=_out_of_the_way(int(sys.argv[1]))))
    start = channel.receive()
    assert isinstance(start, Start)
    lifeline = _out_of_the_way(start.lifeline)
    descriptors |= {channel.fileno(), lifeline}
    try:
        loaded = load(start.script, start.overrides, start.module)
    except Refusal as error:
        channel.send(Stopped(Refused(str(error))))
        os._exit(2)
    altered_site = len(loaded.sites)
    loaded.sites.append(SiteRecord(SiteKind.UPDATE, 0, ALTERED_LINE, 0, ALTERED_LINE, 0))
    recorder = _recorder(loaded)
    control = Control(channel, recorder, Examiner(start.examine, recorder))
    questions = Questions(recorder, altered_site, control.report.events, control.begin_alone)
    control.handlers.update(questions.handlers())
    script = _description(loaded)
    channel.send(script)
    control.breaks.begin(script)
    module = main_module(start.script, start.args, loaded)
    recorder.main_globals = module.__dict__
    recorder.install()
    if start.checkpoints:
        Checkpoints(control, start.checkpoints, lifeline)
    control.go(start.goal)
    control.listen()
    keep_silent(recorder.modules)
    undo = replace(control, filter(_is_open, descriptors))
    leave_recursion_to_the_script()
    status = _run(loaded, module, control, questions)
    undo()
    questions.post_mortem = None
    silence()
    recorder.let_go()  # what the script's own objects do when they end, they do now, as Python ends
    channel.close()
    sys.exit(status)


def _out_of_the_way(descriptor: int) -> int:
    """A descriptor under a high number: the script's own files have those that they have without us."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1000 if most == resource.RLIM_INFINITY or most > 1010 else max(3, most - 10)
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, wanted)
    os.close(descriptor)
    return moved


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:  # the listing's own, the channel's first
        return False
    return True


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


@hidden
def _run(loaded: Loaded, module: ModuleType, control: Control, questions: Questions) -> int | str | None:
    """Execute the script; its exit status, with everything told to the debugger."""
    recorder = control.recorder
    caught: BaseException | None = None
    try:
        if not loaded.train_sites:
            control.examiner.step_begins(0, control.begin_alone)
        if loaded.spec is not None and loaded.spec.parent:
            importlib.import_module(loaded.spec.parent)  # as `python -m` does
        exec(loaded.code, module.__dict__)
    except BaseException as error:
        caught = error
    if control.examiner.forked:
        control.examiner.ended(_why(caught, recorder))
    if isinstance(caught, Ended):
        _leave(0)
    if caught is not None and not isinstance(caught, SystemExit):
        questions.post_mortem = caught.__traceback__
        try:
            show(caught)
        except SystemExit as leaving:  # its excepthook's wish
            _end(control, told(recorder, caught))
            return leaving.code
    if isinstance(caught, SystemExit):
        line = last_line(caught.__traceback__, recorder)
        _end(control, Exited("sys.exit", line, status=_status(caught.code)))
        return caught.code
    if isinstance(caught, KeyboardInterrupt):
        _end(control, Interrupted(status=-int(signal.SIGINT)))
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    _end(control, Finished() if caught is None else told(recorder, caught))
    return 0 if caught is None else 1


def _why(caught: BaseException | None, recorder: Recording) -> str:
    """Why a trial has ended before it came to its answer."""
    if caught is None or isinstance(caught, SystemExit):
        return "the script ends without a call of backward"
    line = last_line(caught.__traceback__, recorder)
    return f"{type(caught).__name__}: {caught}" + (f" on line {line}" if line else "")


def _end(control: Control, stop: Stop) -> None:
    """The script is over: its last episode goes to the debugger whole, and the debugger may still ask."""
    if control.alone:
        return
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
    """As the system tells it: the last byte of a number, all bits set for one that C has no room for."""
    if code is None:
        return 0
    if not isinstance(code, int):
        return 1
    return code & 0xFF if -(1 << 63) <= code < 1 << 63 else 0xFF
