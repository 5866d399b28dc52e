"""Hostile programs end as they do under plain Python, with the reason told and nothing left behind.

Each program of ``tests/hostile`` runs bare and under ``microgpt-tui run``. Whatever it does: its own output, errors and
exit status are those of plain Python, the report names how it ended, nothing of it reaches a terminal as a control
character, no process and no folder outlive the run, and no traceback of the debugger is shown.
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support import Ended

PROGRAMS = Path(__file__).parent / "hostile"
ADDRESS = re.compile(r"0x[0-9a-f]{8,}")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
GIGABYTE = 1 << 30

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for left processes in /proc")


@dataclass(frozen=True)
class Case:
    """A program and how it has to end."""

    name: str
    reason: str = "end"
    """What the report calls the end; empty where the program is refused (exit status 2)."""
    slow: bool = False
    interrupt: bool = False
    """It never ends by itself: once it has printed ``ready`` somebody presses Ctrl-C."""
    loose: bool = False
    """What it prints differs a little under a debugger: how deep a recursion went, how far a race got."""
    environment: dict[str, str | None] = field(default_factory=dict)
    prepare: Callable[[Path], Path] | None = None
    """Makes another script in the folder, or changes it."""
    wrong: str = ""
    """What is wrong today: whoever mends it takes this out."""
    seconds: float = 30

    @property
    def parameter(self) -> object:
        """The case with its marks."""
        marks = [pytest.mark.slow] if self.slow else []
        if self.wrong:
            marks.append(pytest.mark.xfail(strict=True, reason=self.wrong))
        return pytest.param(self, id=self.label, marks=marks)

    @property
    def label(self) -> str:
        """What makes it another case than its siblings."""
        odd = [f"{k}={v}" for k, v in self.environment.items()][:1]
        if self.prepare is not None:
            odd.append(self.prepare.__name__)
        return "-".join([self.name, *odd])


# -- files that are odd themselves -----------------------------------------------------------


def rewritten(change: Callable[[bytes], bytes], name: str) -> Callable[[Path], Path]:
    """The program as other bytes, under another name."""

    def prepare(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(change((PROGRAMS / "plain.py").read_bytes()))
        return path

    prepare.__name__ = CONTROL.sub("", name)
    return prepare


def read_only(folder: Path) -> Path:
    """A folder that nothing can be written to."""
    folder.chmod(0o555)
    return folder / "plain.py"


LATIN = "# -*- coding: latin-1 -*-\nprint(len('né'))\n".encode("latin-1")

CASES = [
    # every kind of exit
    Case("exit_zero", "exit"),
    Case("exit_three", "exit"),
    Case("exit_text", "exit"),
    Case("exit_none", "exit", slow=True),
    Case("exit_large_number", "exit"),
    Case("exit_at_once", "exit"),
    Case("exit_by_quit", "exit", slow=True),
    Case("exit_own_subclass", "exit", slow=True),
    Case("exit_in_backward", "exit"),
    Case("exit_in_generator", "exit", slow=True),
    Case("exit_in_finally", "exit", slow=True),
    Case("exit_in_atexit", "exit"),
    Case("exit_before_training", "exit"),
    Case("exit_interrupt_raised", "signal"),
    Case("bad_main_guard", "exit", slow=True),
    # exceptions
    Case("exception_plain", "exception"),
    Case("exception_chained", "exception", slow=True),
    Case("exception_group", "exception", slow=True),
    Case("exception_whose_text_raises", "exception"),
    Case("exception_in_excepthook", "exception"),
    Case("exception_not_an_exception", "exception", slow=True),
    Case("faults_under_warnings", "exception"),
    # signals
    Case("signal_kill", "killed"),
    Case("signal_term", "killed", slow=True),
    Case("signal_abort", "killed", slow=True),
    Case("signal_segfault", "killed"),
    Case("signal_int_to_itself", "signal"),
    Case("signal_hangup", "killed", slow=True),
    Case("signal_alarm", "killed", slow=True),
    Case("signal_own_handlers"),
    Case("signal_all_blocked", slow=True),
    # memory
    Case("memory_error", "exception"),
    Case("memory_error_caught", slow=True),
    # other processes
    Case("fork_and_wait", slow=True),
    Case("fork_child_trains_on", slow=True),
    Case("fork_leaves_a_child", slow=True),
    Case("exec_another_program", "exec"),
    Case("process_pool", slow=True),
    # threads
    Case("thread_daemon_forever"),
    Case("thread_outlives_main", slow=True),
    Case("thread_makes_nodes"),
    Case("thread_trains"),
    Case("thread_raises", slow=True),
    # input
    Case("input_at_end_of_file", "exception"),
    Case("input_caught", slow=True),
    Case("input_iterated", slow=True),
    # stdout
    Case("stdout_closed", "exception"),
    Case("stdout_descriptor_closed"),
    Case("stdout_replaced", slow=True),
    Case("stdout_none", slow=True),
    Case("stdout_raises", "exception", slow=True),
    Case("stdout_redirected", slow=True),
    Case("stdout_duplicated", slow=True),
    Case("stdout_detached", "end"),
    # floods and bytes
    Case("flood_of_lines", slow=True),
    Case("flood_without_newline"),
    Case("flood_of_errors", slow=True),
    Case("binary_output"),
    Case("escapes_in_output"),
    Case("escapes_in_errors"),
    Case("escapes_in_exception", "exception", slow=True),
    Case("escapes_in_exit_text", "exit", slow=True),
    Case("escapes_in_dict_key"),
    Case("lone_surrogate", slow=True),
    # never ending
    Case("swallows_everything", slow=True),
    Case("swallows_interrupts_for_ever", interrupt=True),
    Case("ignores_interrupts", interrupt=True, slow=True),
    Case("loops_for_ever", interrupt=True, slow=True),
    Case("hangs_in_c", interrupt=True),
    Case("stops_itself", interrupt=True, slow=True),
    # recursion
    Case("recursion_error", "exception", loose=True),
    Case("recursion_caught", slow=True),
    Case("recursion_depth_of_the_script", slow=True),
    Case("recursion_in_backward", "exception", loose=True),
    Case("recursion_limit_raised", slow=True),
    # graphs
    Case("graph_with_a_cycle"),
    Case("graph_node_its_own_operand", slow=True),
    Case("graph_of_fifty_thousand", slow=True),
    Case("graph_of_a_million", slow=True, seconds=90),
    # data
    Case("data_not_a_number"),
    Case("data_infinite", slow=True),
    Case("data_denormal", slow=True),
    Case("data_negative_zero", slow=True),
    Case("data_fractions"),
    Case("data_decimals", slow=True),
    Case("data_complex", slow=True),
    Case("data_integers_beyond_floats"),
    Case("data_texts", slow=True),
    Case("data_none", "exception", slow=True),
    Case("data_float_subclass", slow=True),
    # methods that do what they should not
    Case("dunder_equality_raises"),
    Case("dunder_bool_raises", slow=True),
    Case("dunder_repr_exits"),
    Case("dunder_repr_recurses", slow=True),
    Case("dunder_getattribute_counts", wrong="the recorder's own reads are counted by the class"),
    Case("dunder_setattr_rounds", slow=True),
    Case("dunder_add_changes_its_operand", slow=True),
    Case("dunder_del_raises"),
    Case("dunder_class_lies", slow=True),
    # redefinition at run time
    Case("redefines_the_class"),
    Case("redefines_an_operator"),
    Case("redefines_backward", slow=True),
    Case("redefines_builtins"),
    Case("removes_builtins"),
    Case("clears_modules", slow=True),
    Case("empties_the_environment", slow=True),
    Case("closes_all_descriptors"),
    Case("unusual_names", slow=True),
    # looking at itself
    Case("traces_itself"),
    Case("profiles_itself", slow=True),
    Case("walks_its_stack"),
    Case("sees_everything", "exception"),
    Case("looks_at_the_collector", slow=True),
    Case("stops_the_clock", slow=True),
    # files
    Case("removes_its_folder", slow=True),
    Case("edits_itself", "exception"),
    Case("deletes_itself", "exception", slow=True),
    Case("syntax_error", ""),
    Case("empty_file", "", slow=True),
    Case("only_a_remark", "", slow=True),
    Case("no_autograd", "", slow=True),
    Case("no_training", slow=True),
    Case("future_and_docstring", slow=True),
    Case("plain", prepare=rewritten(lambda b: b"\xef\xbb\xbf" + b, "with_bom.py")),
    Case("plain", prepare=rewritten(lambda b: b.replace(b"\n", b"\r\n"), "with_crlf.py"), slow=True),
    Case("plain", prepare=rewritten(lambda b: b.replace(b"\n", b"\r"), "with_cr.py"), slow=True),
    Case("plain", prepare=rewritten(lambda b: LATIN + b, "in_latin_1.py"), slow=True),
    Case("plain", prepare=rewritten(lambda b: b.replace(b"    ", b"\t"), "with_tabs.py"), slow=True),
    Case("plain", prepare=rewritten(lambda b: b + b"\x00", "with_null_byte.py"), reason=""),
    Case("plain", prepare=rewritten(lambda b: b + b"# \xff\n", "not_utf_8.py"), reason="", slow=True),
    Case("plain", prepare=rewritten(lambda b: b.rstrip(b"\n"), "without_last_newline.py"), slow=True),
    Case("plain", prepare=rewritten(lambda b: b, "evil\x1b[31mname\x07.py")),
    Case(
        "exception_plain",
        "exception",
        prepare=rewritten(lambda b: b + b"1/0\n", "worse\x1b]0;x\x07.py"),
    ),
    Case("plain", prepare=rewritten(lambda b: b, "a name with spaces, ünïcode & quotes'.py"), slow=True),
    Case("plain", prepare=read_only, slow=True),
    # surroundings
    Case("plain", environment={"HOME": None, "XDG_CACHE_HOME": None, "USER": None}, slow=True),
    Case("plain", environment={"TMPDIR": "/nonexistent"}, slow=True),
    Case(
        "unicode_output", environment={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, reason="exception"
    ),
    Case("unicode_output", environment={"PYTHONIOENCODING": "utf-8", "LC_ALL": "C"}, slow=True),
]


# -- running them ----------------------------------------------------------------------------


@pytest.fixture
def token() -> Iterator[str]:
    """A mark in the environment of all that a test starts; what is left at its end is ended."""
    mark = uuid.uuid4().hex
    yield mark
    for pid in left_alive(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def left_alive(mark: str) -> list[int]:
    """Processes that were started with the mark and are no zombies."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and mark.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
    return found


def limits() -> None:
    """Nothing here may hurt the machine: memory, size of files, no core dumps."""
    resource.setrlimit(resource.RLIMIT_AS, (3 * GIGABYTE, 3 * GIGABYTE))
    resource.setrlimit(resource.RLIMIT_FSIZE, (GIGABYTE // 8, GIGABYTE // 8))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@dataclass
class Place:
    """A folder with the program and its engine, and an empty TMPDIR."""

    case: Case
    root: Path
    token: str

    def start(self, *command: str, output: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """The program in a folder made anew, under a command."""
        work, temporary = self.root / "work", self.root / "temporary"
        for folder in (work, temporary):
            if folder.exists():
                folder.chmod(0o755)
                shutil.rmtree(folder)
            folder.mkdir()
        shutil.copy(PROGRAMS / "engine.py", work)
        shutil.copy(PROGRAMS / f"{self.case.name}.py", work)
        script = self.case.prepare(work) if self.case.prepare else work / f"{self.case.name}.py"
        added = {"TMPDIR": str(temporary), "MICROGPT_TEST": self.token, "PYTHONHASHSEED": "0"}
        environment = {**os.environ, **added, "PYTHONDONTWRITEBYTECODE": "1", **self.case.environment}
        return subprocess.Popen(
            [*command, str(script)], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            cwd=work, env={k: v for k, v in environment.items() if v is not None}, preexec_fn=limits,
        )  # fmt: skip

    def folders_left(self) -> list[str]:
        """What of ours is left in TMPDIR."""
        return [p.name for p in (self.root / "temporary").iterdir() if p.name.startswith("microgpt-tui-")]

    def wait_until_ready(self) -> None:
        """Until the recorded program has printed ``ready``."""
        end = time.monotonic() + self.case.seconds
        while time.monotonic() < end:
            for path in (self.root / "temporary").glob("microgpt-tui-*/stdout"):
                if b"ready" in path.read_bytes():
                    return
            time.sleep(0.05)
        pytest.fail("never came to its loop")


def finish(process: subprocess.Popen[bytes], seconds: float) -> Ended:
    """Wait for the end; one that does not come is ended, and fails the test."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.stdout.close()
        process.stderr.close()
        process.wait()
        pytest.fail(f"did not end within {seconds} s")
    return Ended(out.decode(errors="replace"), err.decode(errors="replace"), process.returncode)


RUN = (sys.executable, "-m", "microgpt_tui", "run")


@pytest.mark.parametrize("case", [c.parameter for c in CASES])
def test_a_hostile_program_ends_as_under_plain_python_and_leaves_nothing(
    case: Case, tmp_path: Path, token: str
) -> None:
    place = Place(case, tmp_path, token)
    if case.interrupt:
        interrupted(place)
        return
    bare = finish(place.start(sys.executable), case.seconds)
    for pid in left_alive(token):
        os.kill(pid, signal.SIGKILL)
    ended = finish(place.start(*RUN), case.seconds)
    assert "microgpt_tui/" not in ended.stderr, "a traceback of the debugger"
    assert not left_alive(token), "a process is left"
    assert not place.folders_left()
    if not case.reason:
        assert (ended.status, ended.stdout) == (2, "")
        assert ended.stderr.startswith("microgpt-tui: ")
        return
    assert f"ended: {case.reason}, exit status {bare.status}\n" in ended.stdout
    assert ended.status == (1 if bare.status else 0)
    if CONTROL.search(bare.stdout + bare.stderr):
        assert not CONTROL.search(on_a_terminal(place, RUN)), "a control character reaches the terminal"
    if case.loose:
        return
    assert ADDRESS.sub("0x", ended.stderr) == ADDRESS.sub("0x", bare.stderr)
    assert last_lines(bare.stdout) == last_lines(ended.stdout.partition("the script's output")[2])


def on_a_terminal(place: Place, command: tuple[str, ...]) -> str:
    """What a terminal gets to see when the program runs under a command."""
    main, terminal = pty.openpty()
    process = place.start(*command, output=terminal)
    os.close(terminal)
    seen = bytearray()
    with contextlib.suppress(OSError):  # how the end of a terminal reads
        while more := os.read(main, 1 << 16):
            seen += more
    os.close(main)
    process.wait()
    return seen.replace(b"\r\n", b"\n").decode(errors="replace")


def last_lines(text: str, count: int = 15) -> list[str]:
    """The last lines of an output, as the report shows them: indented, without a heading."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [line for line in lines if line != ":" and not line.startswith(", last ")][-count:]


def interrupted(place: Place) -> None:
    """Ctrl-C ends the run, the program with it, whatever that does with signals."""
    process = place.start(*RUN)
    place.wait_until_ready()
    process.send_signal(signal.SIGINT)
    ended = finish(process, 15)
    assert ended.status == 130
    assert "Traceback" not in ended.stderr
    assert not left_alive(place.token), "a process is left"
    assert not place.folders_left()


def test_there_are_sixty_and_no_program_is_forgotten() -> None:
    programs = {p.stem for p in PROGRAMS.glob("*.py")} - {"engine"}
    assert programs == {c.name for c in CASES}
    assert len(CASES) >= 60
