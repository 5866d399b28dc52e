"""What the debugger recognises in a script of ``tests/scripts``: the one place where the tests ask it.

The shapes are those of ``tests/truth.py``, so that the two can be compared number by number.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path

from truth import Script

from microgpt_tui.protocol import goals
from microgpt_tui.recognise.attention import attention
from microgpt_tui.recognise.tokens import probability_values, tokens
from microgpt_tui.recognise.training import texts
from microgpt_tui.recognise.weights import parameters
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.trace import Trace

PASSES = 16
"""So many backward passes of a step are looked at."""


@dataclass
class Step:
    """What is recognised in one training step."""

    losses: list[float]
    """What each backward pass started from."""
    rows: dict[tuple[int, int, int, int], list[float]]
    """(sequence, layer, head, query) -> attention weights."""
    tokens: dict[tuple[int, int], tuple[int, int, list[float], float]]
    """(sequence, position) -> token, target, probabilities, loss."""
    graphs: list[list[list[object]]]
    """Per backward pass: sorted [data, sorted data of the operands]."""
    weights: list[list[list[float]]]
    moments: dict[str, list[list[float]]]
    """Per buffer of the optimizer: [data of the parameter, its number]."""


@dataclass
class Seen:
    """What is recognised in a run."""

    output: str
    status: int | None
    steps: list[Step] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)


def launch_of(script: Script, goal: goals.Goal) -> Launch:
    """What its command runs, with what it is given to read."""
    file, *arguments = script.command
    launch = Launch(Path(file), arguments, goal=goal)
    if file == "-m":
        launch = Launch(Path(arguments[0]), arguments[1:], goal=goal, module=arguments[0])
    if script.stdin:
        given = Path(tempfile.mkdtemp()) / "stdin"
        given.write_text(script.stdin, "utf-8")
        launch.stdin = given
    return launch


@cache
def recognised(script: Script, folder: Path) -> Seen:
    """Run a script in its folder to the end, recorded, and tell what is recognised."""
    os.environ["PYTHONHASHSEED"] = "0"
    here = Path.cwd()
    os.chdir(folder)  # files are found from where the script is started, as with plain Python
    try:
        debugger = Debugger(launch_of(script, goals.End()))
    finally:
        os.chdir(here)
    try:
        debugger.wait()
        seen = Seen("", debugger.process.end())
        seen.output = debugger.process.output(0).decode()
        for trace in debugger.history.traces.values():
            if trace.episode_kind == "step":
                seen.steps.append(step_of(trace))
            elif trace.episode_kind == "sample":
                seen.samples += [without_boundary(trace, text) for text in texts(trace).texts]
        return seen
    finally:
        debugger.close()


def without_boundary(trace: Trace, text: str) -> str:
    """A sampled text without the token that begins and ends texts."""
    found = tokens(trace)
    mark = found.vocabulary.short(found.positions[0].token)
    return text.removeprefix(mark).removesuffix(mark)


def step_of(trace: Trace) -> Step:
    """One training step's numbers."""
    end = len(trace)
    rows = {
        (sequence, layer, head, row.query): [trace.data_at(n, end) for n in row.weights]
        for (sequence, layer, head), found in attention(trace).rows.items()
        for row in found
    }
    told = {
        (d.sequence, d.position): (
            d.token,
            d.target,
            probability_values(trace, d),
            d.loss_sign * trace.data_at(d.loss, end),
        )
        for d in tokens(trace).distributions
        if d.target >= 0 and d.loss >= 0
    }
    own = parameters(trace)
    kept = trace.program.kept
    data = list(own.data.at(end))
    place = {node: i for i, node in enumerate(kept)}
    moments = {
        name: [[data[i], value] for i, value in enumerate(column.at(end))] for name, column in own.buffers.items()
    }
    return Step(
        [trace.data_at(trace.target[row], end) for row in trace.seeds()],
        rows, told, list(graphs(trace)),
        [
            [[data[place[n]] for n in matrix.nodes[i : i + matrix.shape[1]]]
             for i in range(0, len(matrix.nodes), matrix.shape[1])]
            for matrix in trace.program.matrices
            if len(matrix.shape) == 2 and matrix.shape[1] > 0 and all(n in place for n in matrix.nodes)
        ],
        moments,
    )  # fmt: skip


def graphs(trace: Trace) -> Iterator[list[list[object]]]:
    """Per backward pass, what its root hangs on."""
    for row in islice(trace.seeds(), PASSES):
        at = trace.write_event[row]
        stack, seen = [trace.target[row]], set()
        nodes: list[list[object]] = []
        while stack:
            node = stack.pop()
            if node not in seen:
                seen.add(node)
                operands = list(trace.children(node))
                nodes.append([trace.data_at(node, at), sorted(trace.data_at(k, at) for k in operands)])
                stack += operands
        yield sorted(nodes)
