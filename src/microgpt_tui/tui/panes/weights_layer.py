"""What can be shown of a weight matrix: data, gradient, the optimizer's buffers, change, update beside the weight."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from microgpt_tui.recognise.weights import parameters, places
from microgpt_tui.session.history import Summary
from microgpt_tui.tui.pane import View


@dataclass(frozen=True, slots=True)
class Layer:
    """Numbers of one matrix to look at: a value per element, and what they depend on."""

    name: str
    value: Callable[[int], float]
    """Element (row-major) -> its number."""
    part: Callable[[int, int], Sequence[float]]
    """Elements from one to before another."""
    whole: Callable[[], list[float] | array[float]]
    """All of them at once, for statistics."""
    key: object
    """Changes when any of the numbers does."""


def layer_names(view: View) -> list[str]:
    """What can be shown of a matrix."""
    return ["data", "grad", *parameters(view.trace).buffers, "change", "update/weight"]


def layer_at(view: View, matrix: int, layer: int, *, step: int | None, since: int | None) -> Layer:
    """A layer of a matrix at the moment, or after a finished step (index among ``history.steps``).

    ``change`` counts from the finished step ``since``, or from the start of the episode.
    """
    names = layer_names(view)
    name = names[layer % len(names)]
    where = places(view.trace, view.program.matrices[matrix])
    steps = view.history.steps
    looked = steps[step] if step is not None and step < len(steps) else None
    if name in ("change", "update/weight"):
        return _difference(view, name, where, looked, (matrix, since, step))
    if looked is not None:
        column = looked.data if name == "data" else looked.grad if name == "grad" else None
        return _column(name, column, where, (name, looked.index, matrix))
    own = parameters(view.trace)
    timeline = own.data if name == "data" else own.grad if name == "grad" else own.buffers.get(name)
    if timeline is None:
        return _column(name, None, where, name)
    return _column(name, timeline.at(view.event), where, (name, view.trace.index, timeline.applied, matrix))


def _difference(
    view: View, name: str, where: range | list[int], looked: Summary | None, own_key: tuple[int, int | None, int | None]
) -> Layer:
    """Change since the reference, or this step's change beside the weight."""
    own = parameters(view.trace)
    if looked is not None and looked.data is not None:
        now, key = looked.data, (looked.index, -1)
    else:
        now, key = own.data.at(view.event), (view.trace.index, own.data.applied)
    base = _base(view, looked, own_key[1] if name == "change" else None)
    if base is None:
        return _column(name, None, where, name)

    def change(i: int) -> float:
        return now[where[i]] - base[where[i]]

    def ratio(i: int) -> float:
        old = base[where[i]]
        return (now[where[i]] - old) / abs(old) if old else 0.0

    value = change if name == "change" else ratio

    def part(begin: int, end: int) -> list[float]:
        return [value(i) for i in range(begin, min(end, len(where)))]

    return Layer(name, value, part, lambda: part(0, len(where)), (name, key, own_key))


def _base(view: View, looked: Summary | None, since: int | None) -> array[float] | None:
    """The parameters that a difference counts from."""
    steps = view.history.steps
    if since is not None and since < len(steps):
        return steps[since].data
    if looked is None:
        count = len(view.program.kept)
        return view.trace.start_data if len(view.trace.start_data) == count else None
    before = steps.index(looked) - 1
    return steps[before].data if before >= 0 else None


def _column(name: str, column: array[float] | None, where: range | list[int], key: object) -> Layer:
    if column is None or not len(column):
        return Layer(name, lambda i: 0.0, lambda b, e: [0.0] * (e - b), lambda: [], (name, None))
    own = column
    if isinstance(where, range):
        first, last = where.start, where.stop
        return Layer(
            name, lambda i: own[first + i], lambda b, e: own[first + b : min(last, first + e)],
            lambda: own[first:last], key,
        )  # fmt: skip
    index = where

    def part(begin: int, end: int) -> list[float]:
        return [own[i] for i in index[begin:end]]

    return Layer(name, lambda i: own[index[i]], part, lambda: part(0, len(index)), key)
