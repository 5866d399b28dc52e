"""Recorded scripts for the tests of what is recognised and of the panes that show it, each recorded once."""

from __future__ import annotations

import atexit
import math
import re
from array import array
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from microgpt_tui.protocol.codes import BindKind
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.trace import Trace

ROOT = Path(__file__).resolve().parent.parent
BUNDLED = ROOT / "src" / "microgpt_tui" / "programs" / "microgpt.py"
NAMES = ROOT / "sample_data" / "names.txt"
SCRIPTS = {path.stem: path for folder in ("scripts", "bugs") for path in (ROOT / "sample_data" / folder).glob("*.py")}


def short_bundled() -> Path:
    """The bundled script with two training steps and two samples."""
    folder = Path(mkdtemp(prefix="views-"))
    path = folder / "microgpt.py"
    source = re.sub(r"(?m)^num_steps = \d+", "num_steps = 2", BUNDLED.read_text())
    path.write_text(re.sub(r"(?m)^num_samples = \d+", "num_samples = 2", source))
    (folder / "names.txt").write_text(NAMES.read_text())
    return path


def session(name: str, sample: bool = False) -> Debugger:
    """A script of ``sample_data`` (or ``bundled``) with a whole training step, or a whole sample, recorded."""
    return _session(name, sample)


@cache
def _session(name: str, sample: bool) -> Debugger:
    script = short_bundled() if name == "bundled" else SCRIPTS[name]
    debugger = Debugger(Launch(script, private_folder=True, data=None if name == "bundled" else NAMES))
    _open.append(debugger)
    debugger.wait()
    if sample:
        debugger.run_to("sample", 1)
        debugger.wait()
    debugger.next_episode()
    debugger.wait()
    return debugger


def trace_of(name: str, sample: bool = False) -> Trace:
    """The recorded step (or sample) of a script."""
    kind = "sample" if sample else "step"
    return next(t for t in session(name, sample).history.traces.values() if t.episode_kind == kind)


_open: list[Debugger] = []


@atexit.register
def _close() -> None:
    for debugger in _open:
        debugger.close()


def bound(trace: Trace, name: str) -> list[tuple[int, ...]]:
    """Every list of nodes that the script itself bound to a variable, in order of time."""
    found = []
    for row, site in enumerate(trace.bind_site):
        if trace.program.site(site).name == name and trace.bind_kind[row] == BindKind.NODES:
            start = trace.bind_start[row]
            later = [
                s
                for s, k in zip(trace.bind_start[row + 1 :], trace.bind_kind[row + 1 :], strict=True)
                if k in (BindKind.NODES, BindKind.NODE)
            ]
            end = later[0] if later else len(trace.bound_nodes)
            found.append(tuple(trace.bound_nodes[start:end]))
    return found


class Weights:
    """A script's matrices as plain floats at the beginning of an episode."""

    def __init__(self, trace: Trace) -> None:
        place = {node: i for i, node in enumerate(trace.program.kept)}
        self.of: dict[str, list[list[float]]] = {}
        for matrix in trace.program.matrices:
            values = array("d", (trace.start_data[place[n]] for n in matrix.nodes))
            width = matrix.shape[-1]
            self.of[matrix.name] = [list(values[i : i + width]) for i in range(0, len(values), width)]

    def __getitem__(self, name: str) -> list[list[float]]:
        return self.of[name]


def matvec(matrix: list[list[float]], x: list[float]) -> list[float]:
    """A matrix times a vector."""
    return [sum(w * v for w, v in zip(row, x, strict=True)) for row in matrix]


def rms(x: list[float], eps: float = 1e-5) -> list[float]:
    """A vector divided by the root of its mean square."""
    scale = (sum(v * v for v in x) / len(x) + eps) ** -0.5
    return [v * scale for v in x]


def softmax(x: list[float]) -> list[float]:
    """Probabilities."""
    top = max(x)
    exps = [math.exp(v - top) for v in x]
    return [e / sum(exps) for e in exps]


def bundled_forward(w: Weights, ids: list[int], heads: int = 4) -> tuple[list[list[list[float]]], list[list[float]]]:
    """The bundled model in plain floats: attention weights [head][query][key] and probabilities [position][token]."""
    keys: list[list[float]] = []
    values: list[list[float]] = []
    attention: list[list[list[float]]] = [[] for _ in range(heads)]
    out = []
    for position, token in enumerate(ids):
        x = rms([a + b for a, b in zip(w["wte"][token], w["wpe"][position], strict=True)])
        u = rms(x)
        q = matvec(w["layer0.attn_wq"], u)
        keys.append(matvec(w["layer0.attn_wk"], u))
        values.append(matvec(w["layer0.attn_wv"], u))
        d = len(q) // heads
        mixed = []
        for h in range(heads):
            part = slice(h * d, (h + 1) * d)
            row = softmax([sum(a * b for a, b in zip(q[part], k[part], strict=True)) / d**0.5 for k in keys])
            attention[h].append(row)
            mixed += [sum(p * v[part][j] for p, v in zip(row, values, strict=True)) for j in range(d)]
        x = [a + b for a, b in zip(matvec(w["layer0.attn_wo"], mixed), x, strict=True)]
        hidden = [max(0.0, z) for z in matvec(w["layer0.mlp_fc1"], rms(x))]
        x = [a + b for a, b in zip(matvec(w["layer0.mlp_fc2"], hidden), x, strict=True)]
        out.append(softmax(matvec(w["lm_head"], x)))
    return attention, out


def grouped_forward(
    w: Weights, ids: list[int], layers: int = 3, heads: int = 4, groups: int = 2
) -> tuple[dict[tuple[int, int], list[list[float]]], list[list[float]]]:
    """gqa_three_layers in plain floats: (layer, head) -> weights [query][key], and probabilities [position][token]."""
    attention: dict[tuple[int, int], list[list[float]]] = {}
    past: list[list[tuple[list[float], list[float]]]] = [[] for _ in range(layers)]
    out = []
    for at, symbol in enumerate(ids):
        r = [a + b for a, b in zip(w["emb"][symbol], w["place"][at], strict=True)]
        for layer in range(layers):
            u = rms(r, 1e-6)
            q = matvec(w[f"blocks[{layer}].Wq"], u)
            past[layer].append((matvec(w[f"blocks[{layer}].Wk"], u), matvec(w[f"blocks[{layer}].Wv"], u)))
            d = len(q) // heads
            context = []
            for head in range(heads):
                group = head * groups // heads
                mine, its = q[head * d : (head + 1) * d], slice(group * d, (group + 1) * d)
                scores = [sum(a * b for a, b in zip(mine, k[its], strict=True)) / math.sqrt(d) for k, _ in past[layer]]
                row = softmax(scores)
                attention.setdefault((layer, head), []).append(row)
                context += [sum(p * v[its][j] for p, (_, v) in zip(row, past[layer], strict=True)) for j in range(d)]
            r = [a + b for a, b in zip(r, matvec(w[f"blocks[{layer}].Wo"], context), strict=True)]
            hidden = [z / (1 + math.exp(-z)) for z in matvec(w[f"blocks[{layer}].Win"], rms(r, 1e-6))]
            r = [a + b for a, b in zip(r, matvec(w[f"blocks[{layer}].Wout"], hidden), strict=True)]
        out.append(softmax(matvec(w["emb"], rms(r, 1e-6))))
    return attention, out
