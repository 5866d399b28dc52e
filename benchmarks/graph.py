"""How long the graph takes: layout in the pane, a step's redraw, folding, pictures, the scalar graph as DOT.

.venv/bin/python benchmarks/graph.py            the bundled GPT's first training step
.venv/bin/python benchmarks/graph.py --pictures figure, page and small graph, against the times that issue 14 names
.venv/bin/python benchmarks/graph.py --large    and a step of 1.75 million nodes (takes minutes and gigabytes)
.venv/bin/python benchmarks/graph.py --engine   and Graphviz on growing graphs: what the cost estimate is made from
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from textual.app import App, ComposeResult

from microgpt_tui.graph import engines
from microgpt_tui.graph.export import export
from microgpt_tui.graph.fitting import draw, picture_for
from microgpt_tui.graph.folding import fold, fold_to_budget, scope_of_node
from microgpt_tui.graph.formats import rendered
from microgpt_tui.graph.frames import backward_of
from microgpt_tui.graph.group_picture import picture_of_groups
from microgpt_tui.graph.layered import Label, lay_out
from microgpt_tui.graph.levels import Level
from microgpt_tui.graph.request import Request
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.trace import Trace
from microgpt_tui.tui.pane import View
from microgpt_tui.tui.panes.graph import GraphPane

PROGRAM = Path(__file__).parent.parent / "src/microgpt_tui/programs/microgpt.py"
LARGE = {"n_layer": "4", "n_embd": "64", "n_head": "8"}


def best(work: Callable[[], object], times: int = 5) -> float:
    """Seconds of the fastest of several runs."""
    found = []
    for _ in range(times):
        gc.collect()
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def report(what: str, seconds: float, target: float = 0.0) -> None:
    """One line: what, how long, the target and whether it is met."""
    verdict = "" if not target else f"   target {1000 * target:6,.0f} ms   {'met' if seconds <= target else 'MISSED'}"
    print(f"{what:<58}{1000 * seconds:10,.1f} ms{verdict}")


def record(overrides: dict[str, str]) -> tuple[Debugger, Trace]:
    """The first training step, recorded whole."""
    debugger = Debugger(Launch(PROGRAM, overrides=overrides, private_folder=True))
    debugger.wait()
    debugger.next_episode()
    debugger.wait()
    return debugger, next(t for t in debugger.history.traces.values() if t.episode_kind == "step")


class _Host(App[None]):
    def compose(self) -> ComposeResult:
        yield GraphPane()


async def redraw(debugger: Debugger, trace: Trace, level: Level) -> float:
    """The median of a step's redraw at 120 × 40: scene, layout, all lines as strips."""
    app = _Host()
    took = []
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        pane = app.query_one(GraphPane)
        pane.level = level
        start = backward_of(trace, len(trace) - 1)[0] + 1000
        for event in range(start, start + 60):
            node = trace.node_of(event)
            before = time.perf_counter()
            pane.show(View(debugger, trace, event, node, (1, event, node, trace.version)))
            for y in range(pane.size.height):
                pane.render_line(y)
            took.append(time.perf_counter() - before)
    return sorted(took)[len(took) // 2]


def measure(debugger: Debugger, trace: Trace) -> None:
    """All measurements on one recorded step."""
    print(trace.describe())
    labels = [Label(i, 18, 2) for i in range(40)]
    edges = [(i // 2, i) for i in range(1, 40)] + [(i - 3, i) for i in range(3, 40, 3)]
    report("layout of 40 nodes in the pane", best(lambda: lay_out(labels, edges)), 0.005)
    for level in (Level.OPERATIONS, Level.STATEMENTS, Level.BLOCKS):
        report(f"redraw on a step, {level.label}", asyncio.run(redraw(debugger, trace, level)), 0.016)
    for level in Level:
        if level != Level.OPERATIONS:
            report(f"folding all to {level.label}", best(lambda level=level: fold(trace, level)), 0.3)
    event = backward_of(trace, len(trace) - 1)[1]
    focus = scope_of_node(trace, trace.end_node - 200)
    report("folding to 60 boxes, one position in detail", best(lambda: fold_to_budget(trace, 60, event, focus)), 0.3)

    def picture() -> object:
        return picture_of_groups(trace, fold_to_budget(trace, 60, event, focus), event)

    report("the same with the numbers of every box", best(picture))
    if engines.engines():
        step = Request("step", force=True)
        report("the whole step to SVG", best(lambda: rendered.svg(draw(trace, event, step)), 3), 1.0)
        report("the same, fitted to a slide", best(lambda: rendered.svg(draw(trace, event, Request("step"))), 3), 1.0)
    with tempfile.TemporaryDirectory() as folder:
        whole = Request("scalars")
        for form, target in (("dot", 2.0), ("json", 0.0)):
            path = Path(folder, f"step.{form}")
            seconds = best(lambda path=path: export(trace, event, whole, path, overwrite=True), 3)
            report(f"the scalar graph as {form}", seconds, target)


PUBLISHED = {"n_layer": "1", "n_embd": "16", "n_head": "4"}


def sixty() -> str:
    """A script whose loss is computed from 60 values."""
    engine = (PROGRAM.parents[3] / "sample_data/scripts/engine_tiny.py").read_text()
    lines = ["x = [Var(0.1 * i) for i in range(4)]", "w = [[Var(0.2 * i - j) for i in range(4)] for j in range(4)]"]
    lines += [
        "h = [sum((a * b for a, b in zip(row, x)), Var(0.0)).tanh() for row in w]",
        "s = h[0] * h[1] + h[2] * h[3]",
    ]
    return engine + "\n".join([*lines, "s.backward()", ""])


def measure_pictures() -> None:
    """What a speaker asks for: the figure, its page, a small graph; each from a step that is recorded."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, settings, model, page in (
            ("the published step", PUBLISHED, 1.0, 2.0), ("n_layer=4, n_embd=64", LARGE, 2.0, 0.0),
        ):  # fmt: skip
            start = time.perf_counter()
            debugger, trace = record(settings)
            took = time.perf_counter() - start
            try:
                event = backward_of(trace, len(trace) - 1)[1]
                report(f"{title}: recording ({trace.describe()})", took)
                for form, target in (("svg", model), ("html", page)):
                    start = time.perf_counter()
                    written = export(trace, event, Request("model"), folder / f"model.{form}", overwrite=True)
                    seconds = time.perf_counter() - start
                    report(
                        f"{title}: the model's figure as {form} ({written.size:,} bytes), first time", seconds, target
                    )
            finally:
                debugger.close()
        script = folder / "sixty.py"
        script.write_text(sixty())
        debugger = Debugger(Launch(script, private_folder=True))
        try:
            debugger.wait()
            while debugger.next_episode():
                debugger.wait()
            trace = debugger.history.traces[0]
            event = backward_of(trace, len(trace) - 1)[1]
            start = time.perf_counter()
            written = export(trace, event, Request("graph"), folder / "graph.svg")
            report(f"a graph of {written.boxes} nodes as svg", time.perf_counter() - start, 0.5)
        finally:
            debugger.close()


def measure_engine(trace: Trace) -> None:
    """Graphviz on growing cones, beside the estimate."""
    event = len(trace) - 1
    for limit in (40, 100, 200, 400, 800, 1500):
        request = Request("cone", trace.end_node - 1, depth=40, limit=limit, budget=limit, force=True)
        picture = picture_for(trace, event, request)
        boxes, edges = len(picture.boxes), len(picture.arrows)
        guess = engines.estimated_seconds(boxes, edges)
        seconds = best(lambda request=request: draw(trace, event, request), 1)
        report(f"dot: {boxes} boxes, {edges} edges (estimated {guess:.2f} s)", seconds)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--engine", action="store_true")
    parser.add_argument("--pictures", action="store_true")
    options = parser.parse_args()
    if options.pictures:
        measure_pictures()
        return
    debugger, trace = record({})
    try:
        measure(debugger, trace)
        if options.engine:
            measure_engine(trace)
    finally:
        debugger.close()
    if options.large:
        debugger, trace = record(LARGE)
        try:
            measure(debugger, trace)
        finally:
            debugger.close()


if __name__ == "__main__":
    main()
