"""A recorded run: its losses, its episodes, what was printed."""

from __future__ import annotations

import html
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from microgpt_tui.api.arrays import shaped
from microgpt_tui.api.moment import Episode
from microgpt_tui.headless.launch import BUNDLED, CORPUS, InputError
from microgpt_tui.headless.record import record as record_to
from microgpt_tui.protocol.moments import MomentName
from microgpt_tui.recording.archive import SUFFIX, RecordingError
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.diagnosis import add_failure
from microgpt_tui.session.examination import RECORDED, Check
from microgpt_tui.session.moment import episode_index, recorded
from microgpt_tui.session.process import Launch


class Run:
    """A run that was recorded: a context manager that lets go of its file. Episodes are read when they are wanted."""

    def __init__(self, path: Path, launch: Launch | None = None) -> None:
        try:
            self.debugger = Debugger(Launch(path, recording=path))
        except RecordingError as error:
            raise InputError(str(error)) from None
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}. Give the path of a recording.") from None
        self._launch = launch
        self._close = weakref.finalize(self, self.debugger.close)

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._close()

    @property
    def script(self) -> str:
        """The script's name."""
        files = self.debugger.history.program.files
        return Path(files[0][0]).name if files else ""

    @property
    def source(self) -> str:
        """The script's text."""
        return self.debugger.history.program.files[0][1]

    @property
    def losses(self) -> list[float | None]:
        """The loss of every finished training step, recorded whole or not; None where a step has none."""
        return [s.loss for s in self.debugger.history.steps]

    @property
    def output(self) -> str:
        """What the script printed."""
        return self.debugger.process.output(0).decode(errors="replace")

    @property
    def steps(self) -> list[int]:
        """The training steps that are recorded whole."""
        return self._numbers("step")

    @property
    def samples(self) -> list[int]:
        """The samples that are recorded whole."""
        return self._numbers("sample")

    def _numbers(self, kind: str) -> list[int]:
        return sorted(number for own, number in self.debugger.history.kinds().values() if own == kind)

    @property
    def setup(self) -> Episode:
        """What runs before the first training step; all of a script without a loop."""
        return self._episode("setup", 0)

    def step(self, number: int) -> Episode:
        """A training step, from 1. Raises InputError for one that is not recorded; the message says which are."""
        return self._episode("step", number)

    def sample(self, number: int) -> Episode:
        """A sample, from 1. Raises InputError for one that is not recorded."""
        return self._episode("sample", number)

    def _episode(self, kind: str, number: int) -> Episode:
        history = self.debugger.history
        index = episode_index(history, kind, number)
        if index is None or index not in history.traces:
            raise InputError(f"{MomentName(kind, number).title} is not in the recording; {recorded(history)}")
        try:
            return Episode(self, kind, number, history.traces[index])
        except RecordingError as error:
            raise InputError(str(error)) from None

    def weights_after(self, step: int) -> memoryview[float] | None:
        """All parameters after a training step, flat, float64: of every step. None where none are kept."""
        summary = next((s for s in self.debugger.history.steps if s.number == step), None)
        data = summary.data if summary is not None else None
        return shaped(data, (len(data),)) if data is not None else None

    def check(self, *, step: int | None = None, what: str = "", parameters: int = 20) -> dict[str, Any]:
        """Run the script once more and audit a training step: ``findings``, ``tested``, ``untested`` (docs/bugs.md).

        Raises InputError for a recording that was opened: the script is not there.
        """
        if self._launch is None:
            raise InputError("check runs the script itself, and this is its recording: record it anew, then check.")
        report, debugger = Check(self._launch, step or RECORDED, what=what, per_matrix=parameters).run(_silent)
        try:
            add_failure(report, debugger)
        finally:
            debugger.close()
        return dict(report.data)

    def __repr__(self) -> str:
        return f"{self.script}: {len(self.losses)} training steps; {recorded(self.debugger.history)}"

    def _repr_html_(self) -> str:
        whole = set(self.steps)
        rows = "".join(
            f"<tr><td>{s.number}</td><td>{'' if s.loss is None else format(s.loss, '.6f')}</td>"
            f"<td>{'whole' if s.number in whole else ''}</td></tr>"
            for s in self.debugger.history.steps
        )
        head = "<tr><th>step</th><th>loss</th><th>recorded</th></tr>"
        return f"<p>{html.escape(repr(self))}</p><table>{head}{rows}</table>"


def _silent(text: str) -> None:
    """Nobody watches."""


def record(
    script: str | Path | None = None,
    *,
    steps: int | None = None,
    only: Sequence[int] = (),
    data: str | Path | None = None,
    settings: Mapping[str, object] | None = None,
    args: Sequence[str] = (),
    to: str | Path | None = None,
    python: str = sys.executable,
) -> Run:
    """Run a script (default: the bundled GPT) under the recorder, to its end or for so many training ``steps``.

    ``only``: the steps to record whole; every one without. ``data``: offered to the script as ``input.txt``.
    ``settings``: module-level values to override (``{"n_layer": 2}``). ``to``: keep the recording in this file, else it
    is forgotten with the run. A script that fails leaves what was recorded before. Raises InputError where nothing was.
    """
    path = Path(script) if script is not None else BUNDLED
    if not path.is_file():
        raise InputError(f"{path}: no such file. Give the path of a Python script.")
    corpus = Path(data) if data is not None else CORPUS if script is None else None
    if corpus is not None and not corpus.is_file():
        raise InputError(f"{corpus}: no such file. data takes a text with one document per line.")
    overrides = {name: repr(value) for name, value in (settings or {}).items()}
    launch = Launch(
        path, list(args), corpus, overrides, python, private_folder=script is None, history_memory=0
    )  # fmt: skip
    if to is not None:
        record_to(launch, Path(to), steps, sorted(only), overwrite=False, tell=False)
        return Run(Path(to), launch)
    with tempfile.TemporaryDirectory(prefix="microgpt-tui-") as folder:
        file = Path(folder) / f"run{SUFFIX}"
        record_to(launch, file, steps, sorted(only), overwrite=False, tell=False)
        return Run(file, launch)  # it stays open, and readable, without its name


def open_file(path: str | Path) -> Run:
    """A recording that ``record`` or the screen has written. Raises InputError."""
    return Run(Path(path))
