"""The residual stream: the vector that each block adds to, and what the script's last projection would say of it.

Found backwards from the logits: the vector that the output matrix multiplies, and from there along the additions whose
older operand is the stream before the block.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from microgpt_tui.recognise.attention import attention
from microgpt_tui.recognise.dots import dot, terms
from microgpt_tui.recognise.operations import Graph, Role, graph_of
from microgpt_tui.recognise.parameters import matrix_of
from microgpt_tui.recognise.tokens import Distribution, softmax
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.trace import Trace

MOST_STAGES = 400


@dataclass(frozen=True, slots=True)
class Stage:
    """The residual stream after a block, at one position."""

    label: str
    """``embedding``, ``after attention``, ``after MLP``, with the layer."""
    nodes: tuple[int, ...]
    norm: float
    """Euclidean length."""
    added: float
    """Euclidean length of what the block added; NaN for the embedding."""
    cosine: float
    """Cosine of the angle to the stage before; NaN for the first."""
    scaled: bool = False
    """No block added to it: the stream itself was normalised."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The stages at one position, oldest first, and the projection to logits."""

    stages: tuple[Stage, ...]
    weights: tuple[tuple[int, ...], ...]
    """The output matrix: one row of parameters per token."""
    ratio: tuple[float, ...]
    """Per dimension: input of the output matrix divided by the last stage (a final normalisation); 1 where none."""
    mean_square: float
    """Of the last stage: the normalisation is scaled by it for the other stages."""
    epsilon: float
    """What the final normalisation adds to the mean square; 0 where there is none."""
    normalised: bool


@derived
def stream(trace: Trace, found: Distribution) -> Stream | None:
    """The residual stream below one distribution; None where the logits are no matrix product of a vector."""
    graph = graph_of(trace)
    rows: list[tuple[int, ...]] = []
    top: tuple[int, ...] = ()
    for logit in found.logits:
        inner = _below_cap(graph, logit)
        product = dot(graph, inner)
        if product is None:
            return None
        pairs = zip(product.left, product.right, strict=True)
        ordered = [(b, a) if matrix_of(trace, a) is None else (a, b) for a, b in pairs]
        rows.append(tuple(a for a, _ in ordered))
        if not top:
            top = tuple(b for _, b in ordered)
    if any(len(row) != len(top) for row in rows):  # not one matrix: a product still being summed, say
        return None
    if any(graph.is_parameter(x) for x in top) or any(matrix_of(trace, x) is None for x in rows[0]):
        return None
    walked = _walk(graph, top)
    if not walked:
        return None
    vectors = [vector for vector, _ in walked]
    data = graph.data
    last = [data(n) for n in vectors[-1]]
    ratio = [data(x) / r if r else 1.0 for x, r in zip(top, last, strict=True)]
    normalised = vectors[-1] != top
    mean_square = sum(v * v for v in last) / len(last)
    epsilon = _epsilon(ratio, mean_square) if normalised else 0.0
    return Stream(tuple(_stages(trace, walked)), tuple(rows), tuple(ratio), mean_square, epsilon, normalised)


def _below_cap(graph: Graph, logit: int) -> int:
    """Below a squashing of the logits (``cap * tanh(logit / cap)``) and a bias."""
    node = logit
    for _ in range(8):
        if graph.role(node) is Role.ADD:
            children = graph.children(node)
            if len(children) == 2 and any(graph.is_parameter(c) for c in children):
                node = int(next((c for c in children if not graph.is_parameter(c)), node))
                continue
            return node
        varying = [int(c) for c in graph.children(node) if not graph.is_constant(c)]
        if len(varying) != 1 or graph.is_parameter(varying[0]):
            return node
        node = varying[0]
    return node


def _epsilon(ratio: list[float], mean_square: float) -> float:
    """The ε of an RMS normalisation, from its scale; 1e-5 where a gain hides it."""
    if max(ratio) - min(ratio) <= 1e-9 * max(map(abs, ratio)) and ratio[0] > 0:
        return max(0.0, 1 / ratio[0] ** 2 - mean_square)
    return 1e-5


def _walk(graph: Graph, top: tuple[int, ...]) -> list[tuple[tuple[int, ...], str]]:
    """Vectors of the stream, oldest first, and how each was made: ``sum``, ``scale`` or ``blend``."""
    vectors: list[tuple[tuple[int, ...], str]] = []
    vector: tuple[int, ...] | None = top
    at_top = True
    while vector is not None and len(vectors) < MOST_STAGES:
        role = graph.role(vector[0])
        blended = _through_blend(graph, vector) if role is Role.ADD else None
        if blended is not None:
            vectors.append((vector, "blend"))
            at_top, vector = False, blended
        elif role is Role.ADD and _is_elementwise(graph, vector):
            vectors.append((vector, "sum"))
            at_top = False
            vector = _older(graph, vector)
        elif role in (Role.MULTIPLY, Role.DIVIDE):
            below = _through_scale(graph, vector)
            if below is not None and not at_top and not graph.is_parameter(below[0]):
                vectors.append((vector, "scale"))  # the stream itself is normalised here
            vector = below
        else:
            break
        if vector is not None and (len(vector) != len(top) or graph.is_parameter(vector[0])):
            break
    if not vectors and not graph.is_parameter(top[0]):
        vectors = [(top, "sum")]
    return vectors[::-1]


def _is_elementwise(graph: Graph, vector: tuple[int, ...]) -> bool:
    """True for a sum of two vectors: each element is an addition of its own two, neither a product of a parameter."""
    for node in (vector[0], vector[-1]):
        children = graph.children(node)
        if graph.role(node) is not Role.ADD or len(children) != 2:
            return False
        for child in children:
            if graph.role(child) is Role.MULTIPLY and any(graph.is_parameter(c) for c in graph.children(child)):
                return False
            if graph.is_constant(child, 0):
                return False
    return True


def _through_blend(graph: Graph, vector: tuple[int, ...]) -> tuple[int, ...] | None:
    """Below a weighted sum of whole vectors (a mixture of depths): the newest of these; None where it is none."""
    if not any(graph.role(c) is Role.MULTIPLY for c in graph.children(vector[0])):
        return None
    lists = [terms(graph, node) for node in (vector[0], vector[-1])]
    if lists[0] is None or lists[1] is None:
        return None
    shared = {c for t in lists[0] for c in graph.children(t)} & {c for t in lists[1] for c in graph.children(t)}
    result = []
    for node in vector:
        newest = (terms(graph, node) or [node])[-1]
        own = [int(c) for c in graph.children(newest) if c not in shared]
        if len(own) != 1 or graph.is_parameter(own[0]):
            return None
        result.append(own[0])
    return tuple(result)


def _older(graph: Graph, vector: tuple[int, ...]) -> tuple[int, ...] | None:
    """The operand that was there first: the stream before the block; None at the embedding."""
    pairs = [sorted(graph.children(n)) for n in vector]
    if any(len(p) != 2 for p in pairs) or graph.is_parameter(pairs[0][1]):
        return None
    if graph.is_parameter(pairs[0][0]):
        return None
    return tuple(p[0] for p in pairs)


def _through_scale(graph: Graph, vector: tuple[int, ...]) -> tuple[int, ...] | None:
    """Below a common factor, a gain, or both: the operand that differs from element to element."""
    if len(vector) < 2:
        return None
    lists = [list(graph.children(n)) for n in vector]
    shared = set(lists[0]).intersection(lists[1]) if len(lists[0]) == 2 else set()
    result = []
    for children in lists:
        own = [int(c) for c in children if c not in shared and not graph.is_parameter(c) and not graph.is_constant(c)]
        if not own and children and all(graph.is_parameter(c) or c in shared for c in children):
            own = [int(c) for c in children if c not in shared]
        if len(set(own)) != 1:
            return None
        result.append(own[0])
    return tuple(result)


def _stages(trace: Trace, walked: list[tuple[tuple[int, ...], str]]) -> list[Stage]:
    graph = graph_of(trace)
    marks = sorted((row.softmax.first, row.layer) for rows in attention(trace).rows.values() for row in rows)
    stages: list[Stage] = []
    before: list[float] | None = None
    layer = -1
    for number, (vector, made) in enumerate(walked):
        values = [graph.data(n) for n in vector]
        older = walked[number - 1][0][0] if number else -1
        inside = {at for first, at in marks if older < first < vector[0]}
        if number == 0:
            label = "embedding"
        elif made == "scale":
            label = "normalised"
        elif made == "blend":
            label = "blend of depths"
        elif inside:
            layer = max(inside)
            label = f"after attention {layer}"
        else:
            label = f"after MLP {max(layer, 0)}"
        norm = math.sqrt(sum(v * v for v in values))
        added = cosine = math.nan
        if before is not None and len(before) == len(values):
            added = math.sqrt(sum((a - b) ** 2 for a, b in zip(values, before, strict=True)))
            length = math.sqrt(sum(b * b for b in before))
            if norm and length:
                cosine = sum(a * b for a, b in zip(values, before, strict=True)) / norm / length
        stages.append(Stage(label, vector, norm, added, cosine, number > 0 and made == "scale"))
        before = values
    return stages


def lens(trace: Trace, found: Stream, stage: Stage) -> list[float]:
    """Logit lens: the logits that the script's last normalisation and output matrix make of an earlier stage."""
    graph = graph_of(trace)
    values = [graph.data(n) for n in stage.nodes]
    if found.normalised:
        own = sum(v * v for v in values) / len(values)
        factor = math.sqrt((found.mean_square + found.epsilon) / (own + found.epsilon)) if own + found.epsilon else 1.0
        values = [v * r * factor for v, r in zip(values, found.ratio, strict=True)]
    return [sum(graph.data(w) * v for w, v in zip(row, values, strict=True)) for row in found.weights]


@dataclass(frozen=True, slots=True)
class Reading:
    """A stage, and what the model would say if it stopped there."""

    stage: Stage
    shares: tuple[float, ...]
    """One probability per token."""


def readings(trace: Trace, found: Distribution) -> list[Reading]:
    """The stream below a distribution; empty where no block adds to one."""
    below = stream(trace, found)
    if below is None or len(below.stages) < 2:
        return []
    return [Reading(stage, tuple(softmax(lens(trace, below, stage)))) for stage in below.stages]
