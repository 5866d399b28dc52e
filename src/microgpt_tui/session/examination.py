"""A check: the script run once more beside the session, a step of it examined, and every rule of the audit asked."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from microgpt_tui.audit.audit import audit
from microgpt_tui.audit.findings import Report
from microgpt_tui.audit.subject import Subject
from microgpt_tui.protocol import goals
from microgpt_tui.protocol.examination import Examination, Examined, Progress
from microgpt_tui.protocol.fields import from_data
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch, Process

RECORDED = 3
"""Steps up to the examined one that are recorded whole: what an optimizer does shows from one to the next."""
LARGE = 400_000
"""Events of a step beyond which no more than one step is recorded."""
NEVER_BEGUN = 2.0
"""Seconds after the end of a script in which an examination may still begin."""
PATIENCE = 300
"""Seconds without an answer after which the examination counts as lost."""


class Cancelled(Exception):
    """Somebody has ended the check."""


class Check:
    """One check of a script; ``run`` may be called in a thread, ``cancel`` from another."""

    def __init__(self, launch: Launch, step: int, *, what: str = "", per_matrix: int = 20) -> None:
        self.launch = replace(
            launch, examine=step, what=what, per_matrix=per_matrix, most_steps=0, history_memory=0,
            goal=goals.Steps(min(step, 1)) if step <= RECORDED else goals.Episode("step", step - RECORDED, forget=True),
        )  # fmt: skip
        self.step = step
        self.cancelled = False
        self._debugger: Debugger | None = None

    def cancel(self) -> None:
        """End it; ``run`` raises Cancelled."""
        self.cancelled = True
        debugger = self._debugger
        if debugger is not None:
            _kill(debugger)

    def run(self, progress: Callable[[str], None] = lambda text: None) -> tuple[Report, Debugger]:
        """The report, and the run that it is about (to be closed by the caller). Raises Cancelled."""
        while True:
            if self.cancelled:
                raise Cancelled
            debugger = self._debugger = Debugger(self.launch)
            debugger.breakpoints.items.clear()
            try:
                progress(f"running to training step {self.step}")
                debugger.wait()
                if 1 < self.step <= RECORDED and not debugger.over and _largest(debugger) > LARGE:
                    debugger.run_to("step", self.step)
                    debugger.wait()
                if self.step > 1 and not debugger.over:
                    debugger.run_steps(self.step)
                    debugger.wait()
                fewer = self._fewer(debugger)
                if fewer is None:
                    said = self._said(debugger, progress)
                    return audit(subject_of(debugger, said)), debugger
                self.step = fewer
                self.launch = replace(self.launch, examine=fewer, goal=goals.Steps(min(fewer, 1)))
            except BaseException:
                _kill(debugger)
                debugger.close()
                raise
            debugger.close()
            if self.cancelled:
                raise Cancelled

    def _fewer(self, debugger: Debugger) -> int | None:
        """The last step of a script that ends before the one that was asked for; None where that has begun."""
        if self.cancelled:
            raise Cancelled
        history = debugger.history
        if not history.program.train_sites:
            return None if self.step == 0 else 0
        begun = max((t.number for t in history.traces.values() if t.episode_kind == "step"), default=0)
        begun = max(begun, len(history.steps))
        return begun if 0 < begun < self.step else None

    def _said(self, debugger: Debugger, progress: Callable[[str], None]) -> list[Examination]:
        """What the examination has written, once it is through."""
        path = _process(debugger).folder.path / "examined"
        said: list[Examination] = []
        taken = done = total = 0
        heard = time.monotonic()
        if debugger.history.program.train_sites and not any(
            t.episode_kind == "step" for t in debugger.history.traces.values()
        ):
            return said
        while not (said and isinstance(said[-1], Examined)):
            if self.cancelled:
                raise Cancelled
            text = path.read_text("utf-8") if path.exists() else ""
            end = text.rfind("\n") + 1
            for line in text[taken:end].splitlines():
                message = from_data(json.loads(line))
                if isinstance(message, Progress):
                    done, total = done + message.done, message.total
                    progress(f"parameters: {done} of {total}")
                elif isinstance(message, Examination):
                    said.append(message)
            if end > taken:
                taken, heard = end, time.monotonic()
            elif time.monotonic() - heard > (PATIENCE if path.exists() or not debugger.over else NEVER_BEGUN):
                break
            else:
                time.sleep(0.02)
        return said


def _largest(debugger: Debugger) -> int:
    return max((len(t) for t in debugger.history.traces.values()), default=0)


def _process(debugger: Debugger) -> Process:
    process = debugger.first.process
    assert isinstance(process, Process)  # a run of its own has no copies
    return process


def subject_of(debugger: Debugger, said: list[Examination]) -> Subject:
    """What the rules look at."""
    traces = [debugger.history.traces[i] for i in debugger.history.recorded]
    steps = [t for t in traces if t.episode_kind == "step"]
    while any(b.number != a.number + 1 for a, b in pairwise(steps)):  # one after the other
        del steps[0]
    return Subject(debugger.history.program, steps or traces[:1], said)


def _kill(debugger: Debugger) -> None:
    """The forks of the script too: they are of its process group."""
    with contextlib.suppress(OSError):
        os.killpg(_process(debugger).popen.pid, signal.SIGKILL)
