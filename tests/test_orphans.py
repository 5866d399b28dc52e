"""However the debugger ends, nothing of a session stays: no process, no folder, and the terminal is as it was."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from snippets import PRELUDE, SNIPPETS

from microgpt_tui.session import folder as folders
from microgpt_tui.session.commands import CommandError, execute
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.folder import RunFolder
from microgpt_tui.session.process import Launch

AT_MOST = 3.0
"""Seconds until nothing is left."""
LOOP = SNIPPETS["train"].replace("range(3)", "range(10**9)")
BUSY = {
    "a loop": "while True: pass",
    "inside C": "sum(iter(int, 1))",
    "a child of its own": "import subprocess\nsubprocess.run(['sleep', '600'])",
}


def wait_for(true: Callable[[], object], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)


class Commanded:
    """A microgpt-tui of its own, every process and folder of which can be found."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.environment = {**os.environ, "TMPDIR": str(place), "TERM": "xterm-256color"}
        self.mark = f"TMPDIR={place}\0".encode()
        self.popen: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str, terminal: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "microgpt_tui", *arguments], stdin=terminal, stdout=terminal, stderr=terminal,
            env=self.environment, start_new_session=True,
        )  # fmt: skip
        return self.popen

    def processes(self) -> list[str]:
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and self.mark in (entry / "environ").read_bytes():
                    found.append(f"{entry.name} {(entry / 'cmdline').read_bytes()[:200]!r}")
        return found

    def folders(self) -> list[Path]:
        return list(self.place.glob("microgpt-tui-*"))

    def nothing_stays(self) -> None:
        until = time.monotonic() + AT_MOST
        while (self.processes() or self.folders()) and time.monotonic() < until:
            time.sleep(0.05)
        assert self.processes() == []
        assert self.folders() == []


@pytest.fixture
def commanded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commanded]:
    if not Path("/proc/self/environ").exists():
        pytest.skip("processes are counted in /proc")
    made = Commanded(tmp_path_factory.mktemp("place"))
    yield made
    for line in made.processes():
        os.kill(int(line.split()[0]), signal.SIGKILL)
    if made.popen is not None:
        made.popen.wait(10)


def scripted(tmp_path: Path, body: str) -> tuple[str, Path]:
    """A script that trains one step, tells so, and then does something for ever."""
    sign = tmp_path / "busy"
    path = tmp_path / "script.py"
    path.write_text(f"{PRELUDE}{SNIPPETS['train']}\nopen({str(sign)!r}, 'w').close()\n{body}\n", encoding="utf-8")
    return str(path), sign


@pytest.mark.parametrize(
    ("what", "way"), [*((what, signal.SIGKILL) for what in BUSY), ("a loop", signal.SIGTERM), ("a loop", signal.SIGHUP)]
)
def test_a_script_ends_with_its_debugger_whatever_it_does(
    commanded: Commanded, tmp_path: Path, what: str, way: signal.Signals
) -> None:
    script, sign = scripted(tmp_path, BUSY[what])
    debugger = commanded.start("run", script)
    wait_for(sign.exists)
    assert len(commanded.folders()) == 1
    debugger.send_signal(way)
    assert debugger.wait(AT_MOST) == -way
    commanded.nothing_stays()


ENDLESS = """
class Operands(tuple):
    def __len__(self):
        if "encode" in sys._getframe(1).f_code.co_filename:
            open({sign!r}, "w").close()
            while True: pass
        return tuple.__len__(self)


class Value"""
"""Operands that are counted for ever where the encoder counts them."""


def test_it_ends_while_it_encodes(commanded: Commanded, tmp_path: Path) -> None:
    script, sign = scripted(tmp_path, "")
    text = Path(script).read_text(encoding="utf-8").replace("\nclass Value", ENDLESS.format(sign=str(sign)), 1)
    text = text.replace("(self, other), (1, 1)", "Operands((self, other)), (1, 1)")
    Path(script).write_text(text.replace(f"open({str(sign)!r}, 'w').close()", ""), encoding="utf-8")
    debugger = commanded.start("show", script, "--at", "1:end")
    wait_for(sign.exists)
    debugger.kill()
    debugger.wait(AT_MOST)
    commanded.nothing_stays()


def test_the_second_run_of_a_verify_that_is_killed_ends(commanded: Commanded, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    body = f"with open({str(runs)!r}, 'a') as f: f.write('.')\nwhile len(open({str(runs)!r}).read()) == 2: pass"
    debugger = commanded.start("verify", scripted(tmp_path, body)[0])
    wait_for(lambda: runs.exists() and runs.read_text() == "..")
    debugger.kill()
    debugger.wait(AT_MOST)
    commanded.nothing_stays()


def test_a_watcher_that_is_killed_too_leaves_no_process(commanded: Commanded, tmp_path: Path) -> None:
    script, sign = scripted(tmp_path, BUSY["a loop"])
    debugger = commanded.start("run", script)
    wait_for(sign.exists)
    watcher = next(p for p in commanded.processes() if "/bin/sh" in p)
    os.kill(int(watcher.split()[0]), signal.SIGKILL)
    debugger.kill()
    debugger.wait(AT_MOST)
    wait_for(lambda: not commanded.processes(), AT_MOST)


def test_without_the_kernels_help_the_watcher_kills(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(folders, "KILLED_BY_KERNEL", False)
    folder = RunFolder(tmp_path / "script.py", None, private=True)
    started = folder.start([sys.executable, "-c", "while True: pass"])
    assert folder.cwd is not None
    folder.close()
    assert started.wait(AT_MOST) == -signal.SIGKILL
    assert not folder.path.exists()


# -- the screen --------------------------------------------------------------------------------


@pytest.fixture
def screen(commanded: Commanded) -> Iterator[tuple[Commanded, int, int]]:
    """A debugger on a terminal of its own: (it, our end, its end)."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 120))
    commanded.start(terminal=theirs)
    os.set_blocking(ours, False)
    yield commanded, ours, theirs
    for end in (ours, theirs):
        with contextlib.suppress(OSError):
            os.close(end)


def read(end: int) -> bytes:
    data = b""
    with contextlib.suppress(BlockingIOError, OSError):
        while piece := os.read(end, 65536):
            data += piece
    return data


@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name)
def test_the_terminal_is_as_it_was(screen: tuple[Commanded, int, int], way: signal.Signals) -> None:
    commanded, ours, theirs = screen
    drawn = b""

    def stands() -> bool:
        nonlocal drawn
        drawn += read(ours)
        return b"\x1b[?1049h" in drawn

    wait_for(stands)
    assert not termios.tcgetattr(theirs)[3] & termios.ECHO
    assert commanded.popen is not None
    commanded.popen.send_signal(way)
    after = b""

    def gone() -> bool:
        nonlocal after
        after += read(ours)
        return commanded.popen is not None and commanded.popen.poll() is not None

    wait_for(gone, AT_MOST)
    after += read(ours)
    assert b"\x1b[?1049l" in after, "the other screen is shown again"
    assert b"\x1b[?25h" in after, "with its cursor"
    assert termios.tcgetattr(theirs)[3] & termios.ECHO
    assert commanded.popen.returncode == 128 + way
    commanded.nothing_stays()


@pytest.mark.parametrize("way", [signal.SIGKILL, None], ids=["SIGKILL", "terminal closed"])
def test_a_screen_that_is_gone_leaves_nothing(screen: tuple[Commanded, int, int], way: signal.Signals | None) -> None:
    commanded, ours, theirs = screen
    wait_for(lambda: b"step" in read(ours))
    assert commanded.popen is not None
    if way is None:
        os.close(theirs)
        os.close(ours)
        commanded.popen.send_signal(signal.SIGHUP)  # as the system does to the terminal's foreground process
    else:
        commanded.popen.send_signal(way)
    commanded.popen.wait(AT_MOST)
    commanded.nothing_stays()


def test_ctrl_z_suspends_and_fg_comes_back(commanded: Commanded) -> None:
    shell = f"{sys.executable} -m microgpt_tui; echo status=$?; fg >/dev/null; echo status=$?"
    pid, ours = pty.fork()
    if pid == 0:
        os.execvpe("bash", ["bash", "-m", "-c", shell], commanded.environment)
    termios.tcsetwinsize(ours, (40, 120))
    os.set_blocking(ours, False)
    said = b""

    def says(what: bytes) -> bool:
        nonlocal said
        said += read(ours)
        return what in said

    wait_for(lambda: says(b"step"))
    os.write(ours, b"\x1a")
    wait_for(lambda: says(b"status=147"))
    assert b"\x1b[?1049l" in said, "the shell's screen is shown meanwhile"
    said = said.partition(b"status=147")[2]
    wait_for(lambda: says(b"\x1b[?1049h") and says(b"step"))
    os.write(ours, b"q")
    wait_for(lambda: says(b"status=0"))
    os.waitpid(pid, 0)
    os.close(ours)
    commanded.nothing_stays()


# -- with checkpoints --------------------------------------------------------------------------


def counted(commanded: Commanded) -> int:
    return sum("debuggee" in line or "runner" in line for line in commanded.processes())


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM], ids=lambda s: s.name)
def test_checkpoints_end_with_the_debugger(commanded: Commanded, tmp_path: Path, way: signal.Signals) -> None:
    script, sign = scripted(tmp_path, BUSY["a loop"])
    debugger = commanded.start("run", script, "-c", "run")
    wait_for(sign.exists)
    assert counted(commanded) >= 2, "the script, and a copy of it that sleeps"
    debugger.send_signal(way)
    debugger.wait(AT_MOST)
    commanded.nothing_stays()


@pytest.mark.parametrize("victim", ["script", "checkpoint"])
def test_a_process_that_is_killed_alone_leaves_the_rest_usable(tmp_path: Path, victim: str) -> None:
    path = tmp_path / "script.py"
    path.write_text(f"{PRELUDE}{SNIPPETS['train'].replace('range(3)', 'range(8)')}\n", encoding="utf-8")
    debugger = Debugger(Launch(path))
    try:
        debugger.wait()
        execute(debugger, "run")
        checkpoints = debugger.checkpoints
        assert checkpoints is not None
        pids = [c.pid for c in checkpoints.items]
        os.kill(debugger.process.pid if victim == "script" else pids[-1], signal.SIGKILL)
        if victim == "script":
            assert execute(debugger, "goto 5").text.startswith("5:1 ")
        else:
            with contextlib.suppress(CommandError):
                execute(debugger, "goto 5")
            assert execute(debugger, "goto 1").text.startswith("1:1 ")
    finally:
        debugger.close()
    assert not any(Path(f"/proc/{pid}").exists() and _alive(pid) for pid in pids)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_copy_on_its_way_ends_with_the_debugger(commanded: Commanded, tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    training = SNIPPETS["train"].replace("range(3)", "range(6)")
    head = "import os\nfirst = os.getpid()\n"
    body = "    if os.getpid() != first:\n        os.write(1, b'again')\n        while True: pass\n"
    path.write_text(f"{PRELUDE}{head}{training}{body}", encoding="utf-8")
    debugger = commanded.start("run", str(path), "-c", "run", "-c", "goto 4")
    wait_for(lambda: any(b"again" in p.read_bytes() for f in commanded.folders() for p in f.glob("stdout.*")))
    debugger.kill()
    debugger.wait(AT_MOST)
    commanded.nothing_stays()


# -- every process, every signal, every state --------------------------------------------------

STATES = ("a loop", "inside C", "encoding")
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)


def busy(commanded: Commanded, tmp_path: Path, state: str) -> tuple[subprocess.Popen[bytes], Path]:
    """A debugger whose script has come to where it does something for ever, and what tells that it has."""
    script, sign = scripted(tmp_path, BUSY.get(state, ""))
    if state != "encoding":
        return commanded.start("run", script, "-c", "run"), sign
    text = Path(script).read_text(encoding="utf-8").replace("\nclass Value", ENDLESS.format(sign=str(sign)), 1)
    text = text.replace("(self, other), (1, 1)", "Operands((self, other)), (1, 1)")
    Path(script).write_text(text.replace(f"open({str(sign)!r}, 'w').close()", ""), encoding="utf-8")
    return commanded.start("run", script, "-c", "goto 1:end"), sign


def process_of(commanded: Commanded, role: str) -> int:
    """The script is the first of its kind; copies of it were made later."""
    kinds = {"script": "debuggee", "checkpoint": "debuggee", "watcher": "/bin/sh"}
    found = sorted(
        (int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]), int(pid))
        for line in commanded.processes() for pid in [line.split()[0]] if kinds[role] in line
    )  # fmt: skip
    return found[-1 if role == "checkpoint" else 0][1]


@pytest.mark.parametrize("way", SIGNALS, ids=lambda s: s.name)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("victim", ["debugger", "script", "checkpoint", "watcher"])
def test_whatever_is_killed_nothing_stays(
    commanded: Commanded, tmp_path: Path, victim: str, state: str, way: signal.Signals
) -> None:
    debugger, sign = busy(commanded, tmp_path, state)
    wait_for(sign.exists)
    folder = commanded.folders()
    assert len(folder) == 1
    if victim != "debugger":
        os.kill(process_of(commanded, victim), way)
        time.sleep(0.2)
    if victim == "script":
        assert debugger.wait(AT_MOST) != 0
    else:
        debugger.send_signal(way)
        assert debugger.wait(AT_MOST) == -way
    if (victim, way) != ("watcher", signal.SIGKILL):
        commanded.nothing_stays()
        return
    wait_for(lambda: not commanded.processes(), AT_MOST)  # nobody is left who could remove the folder
    assert commanded.folders() in ([], folder)


def test_a_terminal_that_closes_without_a_signal_ends_the_screen(commanded: Commanded) -> None:
    """It is nobody's controlling terminal: the system sends no SIGHUP."""
    ours, theirs = pty.openpty()
    (commanded.place / "loop.py").write_text(PRELUDE + LOOP)
    popen = commanded.start(str(commanded.place / "loop.py"), terminal=theirs)
    os.close(theirs)
    seen = b""
    until = time.monotonic() + 60
    while b"loop.py" not in seen:
        assert time.monotonic() < until, seen
        seen += os.read(ours, 65536)
    os.close(ours)
    popen.wait(20)
    commanded.nothing_stays()
