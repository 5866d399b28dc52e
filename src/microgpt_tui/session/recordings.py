"""Runs in files: writing one while it is recorded, and opening one as if the script had just ended."""

from __future__ import annotations

import json
import socket
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microgpt_tui.protocol.fields import Data, MessageError, as_data, from_data
from microgpt_tui.protocol.messages import Command, EpisodeEnded, EpisodeSummary, ScriptRead, SetupEnded
from microgpt_tui.protocol.stops import RecordingEnds, Stop
from microgpt_tui.recording.archive import Archive, RecordingError, Writer
from microgpt_tui.recording.episodes import entries, read_episode, write_episode
from microgpt_tui.session import breakpoint_files
from microgpt_tui.session.history import History, Summary
from microgpt_tui.session.moment import Moment, name_of
from microgpt_tui.session.process import Connected, Received, Resumed
from microgpt_tui.trace.trace import Program, Trace, program_from

if TYPE_CHECKING:
    from microgpt_tui.session.branches import Branch
    from microgpt_tui.session.debugger import Debugger

PROGRAM, RUN, OUTPUT, ERRORS = "program.json", "run.json", "output", "errors"


def _version() -> str:
    from importlib.metadata import version

    return version("microgpt-tui")


# -- writing ---------------------------------------------------------------------------------


class Recorder:
    """Writes a run into a file, episode by episode: what is written may be forgotten."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, or RecordingError, where it cannot be written."""
        self._writer = Writer(path)
        self._episodes: dict[str, dict[int, dict[str, Any]]] = {"": {}}
        """By the folder of the run: what is written of it."""

    @property
    def path(self) -> Path:
        """Where it is written."""
        return self._writer.path

    @property
    def count(self) -> int:
        """How many episodes are written whole."""
        return sum(map(len, self._episodes.values()))

    def keep(self, trace: Trace, folder: str = "") -> None:
        """Write an episode; once, however often it is given."""
        written = self._episodes.setdefault(folder, {})
        if trace.index not in written and len(trace):
            written[trace.index] = write_episode(self._writer, trace, folder)

    def finish(self, debugger: Debugger) -> int:
        """Write what belongs to the whole run and to its branches, and the file's end; its size in bytes."""
        first, *others = debugger.branches
        launch, program, writer = debugger.launch, first.history.program, self._writer
        writer.add(PROGRAM, _plain({"read": _read(program), "setup": _setup(program)}))
        debugger.branch.moment = debugger.moment
        self._finish_run(
            first, "", {
                "bookmarks": {name: [m.episode, m.event] for name, m in debugger.bookmarks.items()},
                "breakpoints": breakpoint_files.document(debugger.breakpoints),
                "branch": debugger.branch.number,
            },
        )  # fmt: skip
        for branch in others:
            self._finish_run(branch, folder_of(branch.number), {})
        return writer.finish(
            {
                "written by": _version(), "script": launch.script.name, "arguments": launch.args,
                "settings": launch.overrides, "episodes": list(self._episodes[""].values()),
                "branches": [self._branch(b) for b in others],
            }
        )  # fmt: skip

    def _finish_run(self, branch: Branch, folder: str, more: dict[str, Any]) -> None:
        """What a run has for itself: a branch from the episode on in which it left."""
        history, writer = branch.history, self._writer
        since = branch.left.episode if branch.left is not None else 0
        for index in history.recorded:
            if index >= since:
                self.keep(history.traces[index], folder)
        own = [s for s in history.summaries if s.index >= since]
        for s in own:
            for name, column in (("weights", s.weights), ("gradients", s.gradients)):
                if column is not None:
                    writer.add(f"{folder}{name}/{s.index}", column.read().tobytes())
        run = {
            "summaries": [_ended(s, s.index in self._episodes.get(folder, ())) for s in own],
            "stop": history.stop,
            "moment": [branch.moment.episode, branch.moment.event],
            **more,
        }
        writer.add(folder + RUN, _plain(run))
        writer.add(folder + OUTPUT, branch.script.process.output(0))
        writer.add(folder + ERRORS, branch.script.process.errors())

    def _branch(self, branch: Branch) -> dict[str, Any]:
        assert branch.parent is not None
        assert branch.left is not None
        return {
            "number": branch.number, "name": branch.name, "parent": branch.parent.number,
            "left": [branch.left.episode, branch.left.event], "changed": branch.changed,
            "episodes": list(self._episodes.get(folder_of(branch.number), {}).values()),
        }  # fmt: skip

    def drop(self) -> None:
        """Leave no file."""
        self._writer.drop()


def folder_of(number: int) -> str:
    """Where the members of a branch are."""
    return f"branches/{number}/"


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=as_data))


def _read(program: Program) -> ScriptRead:
    return ScriptRead(
        tuple(program.files), tuple(program.sites), program.class_name, program.data_name, program.grad_name,
        program.train_sites, program.sample_sites, program.ordered_children,
    )  # fmt: skip


def _setup(program: Program) -> SetupEnded:
    matrices = tuple((m.name, tuple(m.shape), tuple(m.nodes)) for m in program.whole)
    return SetupEnded(tuple(program.kept), matrices, program.namespace, program.total_steps)


def _ended(s: Summary, whole: bool) -> EpisodeEnded:
    summary = EpisodeSummary(s.index, s.kind, s.number, s.loss, s.seconds, s.cpu, 0)
    return EpisodeEnded(summary, whole, s.losses, s.events, s.edges, s.audits, s.audit_faults, printed=s.printed)


# -- opening ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stored:
    """Numbers of a step in the file, read when they are asked for."""

    archive: Archive
    name: str
    kind: str

    def read(self) -> array[float]:
        """The array. Raises RecordingError."""
        raw = self.archive.raw(self.name)
        found: array[float] = array(self.kind)
        if len(raw) % found.itemsize:
            raise self.archive.wrong(f"{self.name} is cut")
        found.frombytes(raw)
        return found


class Episodes(dict[int, Trace]):
    """The recorded episodes by index: read when they are first looked at, let go when others need the memory."""

    def __init__(self, archive: Archive, program: Program, budget: int, entries: Mapping[int, dict[str, Any]]) -> None:
        self.entries = entries
        self.read: Callable[[Trace], None] = lambda trace: None
        """Called with each that is read."""
        super().__init__()
        self.archive, self._program, self._budget = archive, program, budget

    def __missing__(self, index: int) -> Trace:
        if index not in self.entries:
            raise KeyError(index)
        setup = self.get(0) if index else None
        trace = read_episode(self.archive, self.entries[index], self._program, setup)
        self.read(trace)
        while len(self) > 2 and sum(t.nbytes for t in super().values()) > self._budget:
            super().__delitem__(next(i for i in super().__iter__() if i))
        self[index] = trace
        return trace

    def __contains__(self, index: object) -> bool:
        return index in self.entries

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self.entries))

    def __bool__(self) -> bool:
        return bool(self.entries)

    def get(self, index: int, default: Any = None) -> Any:
        """The episode, or the default."""
        return self[index] if index in self.entries else default

    def keys(self) -> Any:
        """The indices of all."""
        return self.entries.keys()

    def values(self) -> Any:
        """All of them, each read as it is reached."""
        return (self[index] for index in self)

    def items(self) -> Any:
        """The same with their indices."""
        return ((index, self[index]) for index in self)

    @property
    def in_memory(self) -> list[Trace]:
        """Those that were read."""
        return list(super().values())

    @property
    def loaded(self) -> int:
        """Bytes of those that are in memory."""
        return sum(t.nbytes for t in super().values())


class RecordedHistory(History):
    """The history in a recording."""

    def __init__(self, archive: Archive, budget: int, program: Program, entries: Mapping[int, dict[str, Any]]) -> None:
        super().__init__(budget)
        self.program, self.ready = program, True
        self.traces: Episodes = Episodes(archive, program, budget, entries)
        self.traces.read = self.look_for_matrices

    @property
    def recorded(self) -> list[int]:
        """The episodes in which something has happened that is recorded, in order."""
        return sorted(i for i, entry in self.traces.entries.items() if entry["events"])

    @property
    def in_memory(self) -> list[Trace]:
        """The recorded episodes that were looked at."""
        return self.traces.in_memory

    @property
    def newest(self) -> Trace | None:
        """The trace of the newest recorded episode."""
        found = self.recorded
        return self.traces[found[-1]] if found else None

    @property
    def nbytes(self) -> int:
        """Memory that the episodes take that were looked at."""
        return self.traces.loaded

    def kinds(self) -> dict[int, tuple[str, int]]:
        """(kind, number) of the recorded episodes, by index."""
        return {i: (e["kind"], e["number"]) for i, e in self.traces.entries.items()}


class RecordedProcess(Connected):
    """In the place of the script's process: it has printed what it has printed, and answers nothing."""

    gone = "this is a recording, and that needs the script itself: open it with --script FILE to run that"

    def __init__(self, archive: Archive, folder: str) -> None:
        self._archive = archive
        self._output, self._errors = archive.raw(folder + OUTPUT), archive.raw(folder + ERRORS)
        ours, theirs = socket.socketpair()
        theirs.close()
        super().__init__(ours, 0, archive.path, archive.path)

    def send(self, command: Command) -> None:
        """Nobody is there to hear it."""

    def receive(self) -> Received | None:
        """Nothing comes."""
        return None

    def _signal(self, number: Any) -> None:
        """There is no process."""

    def output(self, start: int, end: int | None = None) -> bytes:
        """Bytes of the script's stdout."""
        return self._output[start:end]

    def errors(self, start: int = 0, end: int | None = None) -> bytes:
        """Bytes of the script's stderr."""
        return self._errors[start:end]

    def output_size(self) -> int:
        """How many bytes the script had printed."""
        return len(self._output)

    def close(self) -> None:
        """Let go of the file."""
        self.channel.close()
        self._archive.close()


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """One run of a recording: the script's own, or a branch."""

    number: int
    name: str
    history: RecordedHistory
    process: RecordedProcess
    moment: Moment
    parent: int = 0
    left: Moment | None = None
    changed: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """A recording as a debugger takes it in."""

    runs: list[OpenedRun]
    """The script's own run first."""
    branch: int
    """The number of the one that was looked at."""
    bookmarks: Mapping[str, Moment]
    breakpoints: dict[str, Any]

    def close(self) -> None:
        """Let go of the file."""
        for run in self.runs:
            run.process.close()


def open_recording(path: Path, budget: int) -> Opened:
    """Read what belongs to the whole run; episodes are read when they are looked at. Raises RecordingError, OSError."""
    archive = Archive(path)
    runs: list[OpenedRun] = []
    try:
        return _opened(archive, budget, runs)
    except BaseException:
        for run in runs:
            run.process.close()
        archive.close()
        raise


def _opened(archive: Archive, budget: int, runs: list[OpenedRun]) -> Opened:
    program = _program(archive)
    own = archive.mapping(RUN)
    history = _history(archive, budget, program, "", entries(archive, archive.header, ""), own, [])
    runs.append(OpenedRun(0, "main", history, RecordedProcess(archive, ""), _moment(archive, own.get("moment"))))
    for about in _list(archive, archive.header, "branches"):
        runs.append(_branch(archive, budget, program, about, runs))
    marks = own.get("bookmarks")
    if not isinstance(marks, dict):
        raise archive.wrong("its bookmarks are none")
    bookmarks = {name: _moment(archive, at) for name, at in marks.items()}
    breakpoints = own.get("breakpoints")
    if not isinstance(breakpoints, dict) or not isinstance(breakpoints.get("breakpoints"), list):
        raise archive.wrong("its breakpoints are none")
    if own.get("branch") not in [run.number for run in runs]:
        raise archive.wrong("the branch that was looked at is none")
    return Opened(runs, own["branch"], bookmarks, breakpoints)


def _program(archive: Archive) -> Program:
    about = archive.mapping(PROGRAM)
    program = program_from(_message(archive, about.get("read"), ScriptRead))
    setup = _message(archive, about.get("setup"), SetupEnded)
    if any(not 0 <= node < 1 << 40 for node in setup.kept):
        raise archive.wrong("parameters that are no nodes")
    program.keep(setup)
    return program


def _history(
    archive: Archive, budget: int, program: Program, folder: str, found: dict[int, dict[str, Any]],
    run: dict[str, Any], before: list[Summary],
) -> RecordedHistory:  # fmt: skip
    """A run's history: what it shares with its parent, ``before``, and what is its own in a folder."""
    history = RecordedHistory(archive, budget, program, found)
    history.summaries = list(before)
    for entry in _list(archive, run, "summaries"):
        ended = _message(archive, entry, EpisodeEnded)
        s = ended.summary
        columns = [
            Stored(archive, f"{folder}{name}/{s.index}", kind) if f"{folder}{name}/{s.index}" in archive else None
            for name, kind in (("weights", "d"), ("gradients", "f"))
        ]
        history.summaries.append(
            Summary(
                s.index, s.kind, s.number, s.loss, s.seconds, s.cpu, ended.losses, ended.events, ended.edges,
                ended.audits, ended.audit_faults, ended.printed, *columns,
            )
        )  # fmt: skip
    history.current = max((*history.recorded, *(s.index for s in history.summaries)), default=-1)
    stop = _message(archive, run["stop"], Stop) if run.get("stop") is not None else None
    history.stop = stop if stop is not None and stop.over else RecordingEnds()
    return history


def _branch(archive: Archive, budget: int, program: Program, about: Any, runs: list[OpenedRun]) -> OpenedRun:
    if not isinstance(about, dict):
        raise archive.wrong("its branches are none")
    number, name, changed = about.get("number"), about.get("name"), about.get("changed")
    parent = next((run for run in runs if run.number == about.get("parent")), None)
    known = [run.number for run in runs]
    if (
        type(number) is not int
        or number in known
        or parent is None
        or not isinstance(name, str)
        or not isinstance(changed, str)
    ):
        raise archive.wrong("a branch that is none")
    folder, left = folder_of(number), _moment(archive, about.get("left"))
    run = archive.mapping(folder + RUN)
    shared = {i: entry for i, entry in parent.history.traces.entries.items() if i < left.episode}
    before = [s for s in parent.history.summaries if s.index < left.episode]
    history = _history(
        archive, budget, program, folder, {**shared, **entries(archive, about, folder)}, run, before
    )  # fmt: skip
    moment = _moment(archive, run.get("moment"))
    return OpenedRun(number, name, history, RecordedProcess(archive, folder), moment, parent.number, left, changed)


def resumed(path: Path) -> Resumed:
    """What a run of the script takes over from a recording of it. Raises RecordingError, OSError."""
    opened = open_recording(path, 0)
    main = opened.runs[0]
    try:
        header = main.history.traces.archive.header
        settings, arguments = header.get("settings"), header.get("arguments")
        if not isinstance(settings, dict) or not isinstance(arguments, list):
            raise main.history.traces.archive.wrong("its settings are none")
        known = main.moment.episode in main.history.recorded
        return Resumed(
            path, str(name_of(main.history, main.moment)) if known else "",
            {s.number: s.loss for s in main.history.steps if s.loss is not None}, main.history.program.files,
            {name: (m.episode, m.event) for name, m in opened.bookmarks.items()}, opened.breakpoints,
            [str(a) for a in arguments], {str(name): str(value) for name, value in settings.items()},
        )  # fmt: skip
    finally:
        opened.close()


def _message(archive: Archive, data: Any, expected: type[Any]) -> Any:
    try:
        found: Data = from_data(data)
    except (MessageError, RecursionError) as error:
        raise archive.wrong(str(error)) from None
    if not isinstance(found, expected):
        raise archive.wrong(f"{type(found).__name__} in the place of {expected.__name__}")
    return found


def _list(archive: Archive, data: dict[str, Any], name: str) -> list[Any]:
    found = data.get(name)
    if not isinstance(found, list):
        raise archive.wrong(f"its {name} are none")
    return found


def _moment(archive: Archive, data: Any) -> Moment:
    if not isinstance(data, list) or len(data) != 2 or not all(type(n) is int for n in data):
        raise archive.wrong("a moment that is none")
    return Moment(*data)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Within, what fails over the columns of a file is that file's damage: a RecordingError."""
    try:
        yield
    except RecordingError:
        raise
    except (LookupError, ValueError, TypeError, ArithmeticError, AttributeError, RecursionError, SyntaxError) as error:
        what = f"{type(error).__name__}: {error}"
        raise RecordingError(
            f"{path}: a damaged recording, whose columns do not fit together ({what}). Copy it again, or record anew."
        ) from error


def is_recording(path: Path) -> bool:
    """True for a zip: a script is a text."""
    try:
        with path.open("rb") as handle:
            return handle.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except OSError:
        return False
