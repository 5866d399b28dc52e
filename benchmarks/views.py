"""CPU time of one frame of the panes, of recognition, and the memory of the history.

    python benchmarks/views.py

Attention: 4 layers × 8 heads × 64 positions while scrubbing; a 512 × 512 weight matrix while scrubbing through the
optimizer; recognition in a step of the bundled script; the history of 1,000 steps of the published model. Prints a
table and fails (exit status 1) when a limit is passed.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
import time
from array import array
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from textual.app import App, ComposeResult

from microgpt_tui.protocol.codes import UPDATE
from microgpt_tui.recognise.attention import attention
from microgpt_tui.recognise.tokens import tokens
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.trace import Matrix, Program, Trace
from microgpt_tui.tui.pane import Pane, View
from microgpt_tui.tui.panes.attention import AttentionPane
from microgpt_tui.tui.panes.graph import GraphPane
from microgpt_tui.tui.panes.residual import ResidualPane
from microgpt_tui.tui.panes.training import TrainingPane
from microgpt_tui.tui.panes.weights import WeightsPane

ROOT = Path(__file__).resolve().parents[1]
BUNDLED = ROOT / "src" / "microgpt_tui" / "programs" / "microgpt.py"
FRAME_MS = 16.0
RECOGNITION_MS = 50.0
HISTORY_MB = 64.0


def settings(source: str, **values: int) -> str:
    """The bundled script with other settings."""
    for name, value in values.items():
        source = re.sub(rf"(?m)^{name} = \d+", f"{name} = {value}", source)
    return source


def large_script(folder: Path) -> Path:
    """4 layers, 8 heads, documents of 64 positions; narrow, so that recording it is quick."""
    source = settings(BUNDLED.read_text(), n_layer=4, n_head=8, n_embd=8, block_size=64, num_steps=2, num_samples=1)
    path = folder / "large.py"
    path.write_text(
        source.replace("matrix(4 * n_embd, n_embd)", "matrix(n_embd, n_embd)").replace(
            "matrix(n_embd, 4 * n_embd)", "matrix(n_embd, n_embd)"
        )
    )
    (folder / "names.txt").write_text("\n".join("abcdefghij" * 7 for _ in range(3)))
    return path


def weights_trace() -> tuple[Trace, Program]:
    """An optimizer phase over a 512 × 512 matrix, as columns: recording one would take hours of scalar arithmetic."""
    count = 512 * 512
    program = Program(kept=array("q", range(count)))
    program.matrices = [Matrix("w", (512, 512), array("q", range(count)))]
    setup = Trace(program, 0, "setup", 0, None)
    trace = Trace(program, 1, "step", 1, setup)
    trace.first_node = count
    trace.start_data = array("d", ((i * 7919 % 1009) / 1009 - 0.5 for i in range(count)))
    trace.start_grad = array("d", bytes(8 * count))
    trace.kind = array("B", bytes([UPDATE]) * count)
    trace.updated = array("q", range(count))
    trace.old = trace.start_data
    trace.new = array("d", (v * 0.99 for v in trace.start_data))
    trace.update_event = array("i", range(count))
    trace.update_site = array("i", bytes(4 * count))
    trace.used_start = array("i", bytes(4 * count))
    trace.complete, trace.version = True, 1
    return trace, program


class Frame(App[None]):
    """One pane on a screen of 120 × 40."""

    def __init__(self, pane: Pane) -> None:
        super().__init__()
        self.pane = pane

    def compose(self) -> ComposeResult:
        yield self.pane


def frame(pane: Pane, view: View) -> None:
    """Everything that a frame costs the pane: the moment taken in, every visible line as a strip."""
    pane.show(view)
    for y in range(pane.size.height):
        pane.render_line(y)


async def scrub(pane: Pane, views: list[View], prepare: Callable[[Pane], None] | None = None) -> float:
    """Mean CPU milliseconds per frame over the views, the first few not counted."""
    app = Frame(pane)
    async with app.run_test(size=(120, 40)) as pilot:
        pane.styles.height = "1fr"
        await pilot.pause()
        pane.show(views[0])
        if prepare is not None:
            prepare(pane)
        for view in views[:5]:
            frame(pane, view)
        start = time.process_time()
        for view in views[5:]:
            frame(pane, view)
        return (time.process_time() - start) / (len(views) - 5) * 1e3


def as_map(pane: Pane) -> None:
    """The graph pane's other picture."""
    assert isinstance(pane, GraphPane)
    pane.action_map()


def views_of(debugger: Debugger, trace: Trace, events: list[int]) -> list[View]:
    """The moments to scrub through."""
    return [View(debugger, trace, e, trace.node_of(e), (trace.index, e, -1, trace.version)) for e in events]


def recorded(script: Path) -> tuple[Debugger, Trace]:
    """A session with the first training step recorded whole."""
    debugger = Debugger(Launch(script, private_folder=True))
    debugger.wait()
    debugger.next_episode()
    debugger.wait()
    return debugger, next(t for t in debugger.history.traces.values() if t.episode_kind == "step")


def main() -> int:
    """Measure and print; 1 when something is over its limit."""
    results: list[tuple[str, float, float, str]] = []
    debugger, trace = recorded(BUNDLED)
    start = time.process_time()
    attention(trace)
    tokens(trace)
    results.append(
        (f"recognition, {len(trace.born):,} nodes", (time.process_time() - start) * 1e3, RECOGNITION_MS, "ms")
    )
    events = [len(trace) * 2 // 3 + i for i in range(45)]
    steps = [
        View(debugger, trace, e, trace.node_of(e), (trace.index, e, trace.node_of(e), trace.version)) for e in events
    ]
    results.append(("graph pane, a step", asyncio.run(scrub(GraphPane(), steps)), FRAME_MS, "ms"))
    results.append(("the model's map, a step", asyncio.run(scrub(GraphPane(), steps, as_map)), FRAME_MS, "ms"))
    results.append(("residual stream, a step", asyncio.run(scrub(ResidualPane(), steps)), FRAME_MS, "ms"))
    summary = next(s for s in debugger.history.summaries if s.kind == "step")
    assert summary.data is not None
    assert summary.grad is not None
    each = sum(sys.getsizeof(c) for c in (summary.weights, summary.gradients)) + sys.getsizeof(summary)
    results.append(("history of 1,000 steps", each * 1000 / 2**20, HISTORY_MB, "MiB"))
    for i in range(1000):
        debugger.history.summaries.append(
            replace(summary, index=i + 10, number=i + 2, loss=3.0 - i / 800 + i % 7 / 10, seconds=0.1, cpu=0.1)
        )
    events = [len(trace) // 3 + i * 7 for i in range(45)]
    results.append(
        (
            "training pane, 1,000 steps",
            asyncio.run(scrub(TrainingPane(), views_of(debugger, trace, events))),
            FRAME_MS,
            "ms",
        )
    )
    debugger.close()
    with tempfile.TemporaryDirectory() as folder:
        debugger, trace = recorded(large_script(Path(folder)))
        found = attention(trace)
        events = [int(len(trace) * 0.35) + i * 211 for i in range(45)]
        views = views_of(debugger, trace, events)
        title = f"attention {len(found.heads)} × {found.heads[0]} × {found.length(0)}"
        for mode in ("weight", "logit", "gradient"):
            pane = AttentionPane()
            pane.mode = mode
            results.append((f"{title}, {mode}", asyncio.run(scrub(pane, views)), FRAME_MS, "ms"))
        large, _ = weights_trace()
        wide = views_of(debugger, large, [100_000 + i * 37 for i in range(45)])
        results.append(("weights 512 × 512", asyncio.run(scrub(WeightsPane(), wide)), FRAME_MS, "ms"))
        debugger.close()
    for name, value, limit, unit in results:
        print(f"{name:38} {value:8.2f} {unit:3}  limit {limit:g}{'' if value <= limit else '   OVER'}")
    return int(any(value > limit for _, value, limit, _ in results))


if __name__ == "__main__":
    sys.exit(main())
