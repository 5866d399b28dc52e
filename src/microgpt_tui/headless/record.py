"""``record``: a run in a file, written episode by episode while it runs."""

from __future__ import annotations

from pathlib import Path

from microgpt_tui.headless.launch import InputError, check
from microgpt_tui.headless.progress import Progress, running
from microgpt_tui.protocol import goals
from microgpt_tui.protocol.fields import Data
from microgpt_tui.protocol.messages import EpisodeEnded
from microgpt_tui.session.breakpoints import NAN_NUMBER
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.session.recordings import Recorder


def record(
    launch: Launch, path: Path, steps: int | None, only: list[int], *, overwrite: bool, tell: bool = True
) -> int:
    """Run a script (to the end, or ``steps`` training steps), all of it or the steps ``only`` recorded whole.

    With ``tell`` it says how far it is, and what was written.

    Every step's loss, weights and gradients are kept. Returns 0, or 1 where the script failed: what was recorded before
    is in the file. Raises InputError where nothing was, or the file cannot be written.
    """
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists already. Choose another name, or say --overwrite.")
    if only and steps is not None and only[-1] > steps:
        raise InputError(f"--only {only[-1]}: --steps {steps} ends before it.")
    launch.history_memory = 0  # nobody goes back
    launch.goal = goals.Episode() if only else goals.Steps(steps) if steps else goals.End()
    try:
        recorder = Recorder(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}. Name a file that can be written: -o FILE.") from None
    try:
        return _record(launch, recorder, steps, only, tell)
    except BaseException:
        recorder.drop()
        raise


def _record(launch: Launch, recorder: Recorder, steps: int | None, only: list[int], tell: bool) -> int:
    debugger = Debugger(launch)
    history = debugger.history

    def take(message: Data | None) -> None:
        if not isinstance(message, EpisodeEnded):
            return
        summary = message.summary
        trace = history.traces.get(summary.index)
        if trace is not None and (not only or summary.kind != "step" or summary.number in only):
            recorder.keep(trace)
        if summary.index:
            history.traces.pop(summary.index, None)

    try:
        with Progress() as progress:
            if tell:
                progress.text = running(debugger)
            debugger.wait(take)
            check(debugger)
            debugger.breakpoints.enable(NAN_NUMBER, False)
            for number in only:
                newest = history.newest
                if newest is None or (newest.episode_kind, newest.number) != ("step", number):
                    debugger.run_to("step", number)
                    debugger.wait(take)
                debugger.run_steps(1)
                debugger.wait(take)
            rest = steps - only[-1] if only and steps is not None else 0
            if only and not debugger.over and (steps is None or rest):
                _ = debugger.run_steps(rest, forget=True) if rest else debugger.run()
                debugger.wait(take)
            progress.say(f"writing {recorder.path}" if tell else "")
            size = recorder.finish(debugger)
        status = debugger.process.end() if debugger.over else 0
    finally:
        debugger.close()
    done = len(history.steps)
    if tell:
        print(f"{recorder.path}: {done} training steps, {recorder.count} episodes recorded whole, {size / 1e6:.1f} MB")
    return 1 if status else 0
