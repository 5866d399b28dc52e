"""Who lays out and renders: the ``dot`` program, else the wheel that carries Graphviz, else nobody.

Both run as a process of their own: a layout can take minutes and must neither hold the screen up
nor outlive the person's patience.
"""

from __future__ import annotations

import functools
import importlib.util
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from microgpt_tui.graph.files import ExportError

HOW_TO_GET = (
    "No Graphviz here to lay the picture out. Install the `dot` program (apt install graphviz, brew install graphviz, "
    "or https://graphviz.org/download/), or the wheel that carries one: pip install 'microgpt-tui[pictures]'."
)

_WHEEL = (
    "import sys, pygraphviz\n"
    "form, prog, source, target = sys.argv[1:]\n"
    "graph = pygraphviz.AGraph(string=open(source, encoding='utf-8').read())\n"
    "args = '-Gdpi=' + form.partition('@')[2] if '@' in form else ''\n"
    "graph.draw(target, format=form.partition('@')[0], prog=prog, args=args)\n"
)


class EngineError(ExportError):
    """No picture: the message says why and what to do."""


class Missing(EngineError):
    """There is no engine here."""


class LayoutFailed(EngineError):
    """The engine itself gave up on this graph."""


class Cancelled(EngineError):
    """The person asked to stop."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A Graphviz that can be run."""

    name: str
    """``dot`` or ``wheel``."""
    program: str

    def command(self, form: str, source: Path, target: Path, layout: str = "dot", dpi: int = 0) -> list[str]:
        """The command line that renders a DOT file. ``layout``: ``dot``, or ``nop2`` to keep the positions that are
        in the file."""
        if self.name == "dot":
            resolution = [f"-Gdpi={dpi}"] if dpi else []
            return [self.program, f"-K{layout}", f"-T{form}", *resolution, "-o", str(target), str(source)]
        asked = f"{form}@{dpi}" if dpi else form
        return [self.program, "-c", _WHEEL, asked, layout, str(source), str(target)]

    @property
    def description(self) -> str:
        """For people."""
        return f"Graphviz ({self.program})" if self.name == "dot" else "Graphviz from the pygraphviz wheel"


@functools.cache
def _wheel_is_here() -> bool:
    return importlib.util.find_spec("pygraphviz") is not None


def engines() -> list[Engine]:
    """The engines of this machine, the preferred one first."""
    found = []
    program = shutil.which("dot")
    if program:
        found.append(Engine("dot", program))
    if _wheel_is_here():
        found.append(Engine("wheel", sys.executable))
    return found


def find(name: str = "") -> Engine:
    """The engine to use, or the one named. Raises EngineError that says how to get one."""
    found = [e for e in engines() if name in ("", e.name)]
    if not found:
        raise Missing(HOW_TO_GET if not name else f"the engine {name!r} is not here. {HOW_TO_GET}")
    return found[0]


def estimated_seconds(nodes: int, edges: int) -> float:
    """About how long ``dot`` takes. It grows much faster than the graph: see benchmarks/graph.py."""
    size = nodes + edges
    return 0.04 + 1.1e-4 * size + math.pow(size / 5200, 3.2)


@dataclass(frozen=True, slots=True)
class Renderer:
    """Which engine, how long it may take, and whom to tell."""

    name: str = ""
    """``dot``, ``wheel``, or empty for the first that is here."""
    timeout: float = 60.0
    """Seconds for each layout."""
    cancelled: Callable[[], bool] = lambda: False
    progress: Callable[[str], None] = lambda line: None

    @property
    def engine(self) -> Engine:
        """Raises EngineError where there is none."""
        return find(self.name)

    @property
    def engine_name(self) -> str:
        """Empty where there is none. Raises EngineError for one that was asked for by name and is not here."""
        return self.engine.name if self.name or engines() else ""

    @property
    def description(self) -> str:
        """Who places the boxes, for people."""
        return self.engine.description if self.engine_name else "our own layout (no Graphviz here)"

    def check(self) -> None:
        """Raises Cancelled when the person has asked to stop."""
        if self.cancelled():
            raise Cancelled("cancelled: nothing was written")

    def render(self, source: str, form: str, *, layout: str = "dot", dpi: int = 0) -> bytes:
        """Lay out and render a DOT document. ``form``: svg, png, pdf, or a layout as text (plain, json0, dot).

        Raises EngineError when the engine fails or takes longer than ``timeout``, and Cancelled.
        """
        engine = self.engine
        with tempfile.TemporaryDirectory(prefix="microgpt-tui-graph-") as folder:
            source_path, target = Path(folder, "picture.dot"), Path(folder, f"picture.{form}")
            errors = Path(folder, "errors")
            source_path.write_text(source, encoding="utf-8")
            with errors.open("wb") as sink:
                process = subprocess.Popen(
                    engine.command(form, source_path, target, layout, dpi), stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=sink, start_new_session=True, env=_environment(folder),
                )  # fmt: skip
                self._wait(process)
            if process.returncode or not target.exists():
                said = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
                said = [s for s in said if "Fontconfig" not in s] or [f"exit status {process.returncode}"]
                reason = next((s for s in said if "rror" in s), said[-1])
                raise LayoutFailed(f"{engine.description} failed: {reason}")
            return target.read_bytes()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + self.timeout
        pause = 0.004
        try:
            while True:
                try:
                    process.wait(pause)
                    return
                except subprocess.TimeoutExpired:
                    pause = min(0.05, pause * 1.5)
                self.check()
                if time.monotonic() > end:
                    raise EngineError(
                        f"the layout took longer than {self.timeout:g} seconds. Fold further (a smaller --budget), "
                        "or allow more time (--timeout)."
                    )
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _environment(folder: str) -> dict[str, str]:
    """Fontconfig wants a cache folder that can be written; without one it warns at every start."""
    environment = dict(os.environ)
    environment.setdefault("XDG_CACHE_HOME", folder)
    return environment
