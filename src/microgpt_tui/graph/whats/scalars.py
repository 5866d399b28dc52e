"""``scalars``: every node and edge of the episode, unfolded, for other tools; streamed, it is large."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from typing import Any

from microgpt_tui.graph.dot import quoted
from microgpt_tui.graph.folding import nodes_at, older_used, operands_of
from microgpt_tui.graph.formats.json import SCHEMA, moment, number
from microgpt_tui.graph.request import Subject, What
from microgpt_tui.graph.state import data_used, grads_at
from microgpt_tui.trace.names import name
from microgpt_tui.trace.trace import Trace


def _users(trace: Trace, count: int, end: int) -> Iterator[int]:
    """The user of each of the first ``end`` operands."""
    bounds = [*trace.child_start[:count], end]
    return chain.from_iterable(repeat(trace.first_node + i, bounds[i + 1] - bounds[i]) for i in range(count))


def dot_lines(subject: Subject) -> Iterator[str]:
    """A line per node and per edge.

    Node attributes: ``op``, ``data``, ``grad`` (in full precision; 0 before the backward pass);
    edge attribute: ``local`` where the script records local gradients.
    """
    trace, event = subject.trace, subject.event
    count, first = nodes_at(trace, event), trace.first_node
    end = operands_of(trace, count)
    grads = grads_at(trace, event)
    yield "digraph step {\n"
    for node in older_used(trace, count):
        data, grad = data_used(trace, node, event), grads.get(node, 0.0)
        label = quoted(name(trace, node))
        yield f'{node} [op="{trace.op_name(node)}" data="{data!r}" grad="{grad!r}" label={label}]\n'
    get, ops = grads.get, trace.ops
    for node, op, data in zip(range(first, first + count), trace.op[:count], trace.data[:count], strict=True):
        yield f'{node} [op="{ops[op]}" data="{data!r}" grad="{get(node, 0.0)!r}"]\n'
    for child, user, local in zip(trace.child[:end], _users(trace, count, end), trace.local[:end], strict=True):
        yield f'{child}->{user} [local="{local!r}"]\n' if local == local else f"{child}->{user}\n"
    yield "}\n"


def json_lines(subject: Subject) -> Iterator[str]:
    """A column at a time."""
    trace, event = subject.trace, subject.event
    count, first = nodes_at(trace, event), trace.first_node
    end = operands_of(trace, count)
    grads = grads_at(trace, event)
    older = older_used(trace, count)
    nodes = [*older, *range(first, first + count)]
    data = [data_used(trace, n, event) for n in older] + list(trace.data[:count])
    columns: dict[str, Iterable[Any]] = {
        "node": nodes, "op": [trace.op_name(n) for n in older] + [trace.ops[o] for o in trace.op[:count]],
        "data": map(number, data), "grad": (number(grads.get(n, 0.0)) for n in nodes),
        "from": trace.child[:end], "to": _users(trace, count, end), "local": map(number, trace.local[:end]),
    }  # fmt: skip
    yield f'{{"schema": "{SCHEMA}/columns", "moment": {json.dumps(moment(trace, event))}'
    for column, values in columns.items():
        yield f',\n"{column}": '
        yield json.dumps(list(values), allow_nan=False)
    yield "}\n"


WHATS = (
    What(
        "scalars", "every node and edge of the step, unfolded, for other tools", needs_node=False,
        lines={"dot": dot_lines, "json": json_lines},
    ),
)  # fmt: skip
