"""Which nodes the script keeps, and what it calls them: a walk over its own variables."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from microgpt_tui.debuggee.record.identity import identity_of

MAX_DEPTH = 7
MAX_ITEMS = 4_000_000


@dataclass(slots=True)
class Kept:
    """What the walk has found."""

    tensors: list[tuple[str, tuple[int, ...], list[Any]]] = field(default_factory=list)
    """(name, shape, nodes row-major); a single node has the shape ``()``."""
    lists: dict[int, Any] = field(default_factory=dict)
    """The lists that hold them, by ``id``: they stand for weights and are not copied again."""
    buffers: dict[str, list[float]] = field(default_factory=dict)
    """Lists of floats, by name: candidates for an optimizer's moments."""


def walk(roots: list[dict[str, Any]], node_class: type, modules: set[str]) -> Kept:
    """Every named (list of) nodes reachable from the namespaces, through lists, dicts and the script's own objects.

    A list of lists wins over a flat list of the same nodes (``state_dict`` over ``params``), and so does whatever holds
    them in smaller parts: ``hidden[0].w`` and ``hidden[0].b``.
    """
    kept = Kept()
    found: list[tuple[int, int, str, tuple[int, ...], list[Any]]] = []
    seen: set[int] = set()
    todo: list[tuple[str, Any, int]] = [
        (name, value, 0) for root in roots for name, value in list(root.items()) if not name.startswith("__")
    ]
    budget = MAX_ITEMS
    while todo and budget > 0:
        name, value, depth = todo.pop(0)
        if isinstance(value, node_class):
            found.append((0, len(found), name, (), [value]))
            continue
        if identity_of(value) in seen or depth > MAX_DEPTH:
            continue
        if isinstance(value, list | tuple) and value:
            seen.add(identity_of(value))
            shape, nodes, lists = _tensor(value, node_class, modules)
            if nodes:
                budget -= len(nodes)
                found.append((len(shape), len(found), name, shape, nodes))
                kept.lists.update((identity_of(part), part) for part in lists)
            elif type(value[0]) is float and len(value) <= MAX_ITEMS and set(map(type, value)) == {float}:
                kept.buffers[name] = value if isinstance(value, list) else list(value)
            elif len(value) <= 4096 and not isinstance(value[0], str | int | float):
                todo[:0] = [(f"{name}[{i}]", part, depth + 1) for i, part in enumerate(value)]
        elif isinstance(value, dict) and len(value) <= 65536:
            seen.add(identity_of(value))
            items = [(k, v) for k, v in list(value.items()) if isinstance(k, str | int | tuple)]
            todo[:0] = [(_item_name(name, k, depth), v, depth + 1) for k, v in items]
        elif getattr(type(value), "__module__", None) in modules and not isinstance(value, type):
            seen.add(identity_of(value))
            todo[:0] = [(f"{name}.{k}", v, depth + 1) for k, v in attributes(value)]
    narrowest: dict[int, int] = {}
    for _, _, _, _, nodes in found:
        for node in nodes:
            narrowest[identity_of(node)] = min(len(nodes), narrowest.get(identity_of(node), len(nodes)))
    covered: set[int] = set()

    def order_of(one: tuple[int, int, str, tuple[int, ...], list[Any]]) -> tuple[int, int]:
        dimensions, place, _, _, nodes = one
        overview = dimensions == 1 and all(narrowest[identity_of(n)] < len(nodes) for n in nodes)
        return 1 if overview else -dimensions, place

    for _, _, name, shape, nodes in sorted(found, key=order_of):
        ids = set(map(identity_of, nodes))
        if not ids <= covered:
            covered |= ids
            kept.tensors.append((name, shape, nodes))
    order = {name: i for i, (_, _, name, _, _) in enumerate(found)}
    kept.tensors.sort(key=lambda t: order[t[0]])
    return kept


def _item_name(owner: str, key: str | int | tuple[Any, ...], depth: int) -> str:
    """``layer0.wq`` for ``state_dict["layer0.wq"]``, ``blocks[0]`` for ``blocks[0]``, ``W['q', 0]`` for a tuple."""
    if isinstance(key, tuple):
        return f"{owner}[{', '.join(map(ascii, key))}]"
    if isinstance(key, int):
        return f"{owner}[{key}]"
    return key if depth == 0 else f"{owner}.{key}"


def attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """Names and values that an object carries, in its dict and its slots."""
    yield from getattr(value, "__dict__", {}).items()
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            try:
                yield name, object.__getattribute__(value, name)
            except AttributeError:
                continue


def _tensor(value: Any, node_class: type, modules: set[str]) -> tuple[tuple[int, ...], list[Any], list[Any]]:
    """(shape, nodes, the lists) of a list whose leaves are all nodes; empty where it is none.

    An object of the script's that holds a list and nothing else of the kind stands for that list: a row.
    """
    level: list[Any] = [value]
    lists: list[Any] = []
    shape: list[int] = []
    while True:
        lists.extend(level)
        lengths = {len(part) for part in level}
        shape.append(lengths.pop() if len(lengths) == 1 else -1)
        inner = [x for part in level for x in part]
        if not inner:
            return (), [], []
        kinds = set(map(type, inner))
        if all(issubclass(k, node_class) for k in kinds):
            return tuple(shape), inner, lists
        if len(shape) > 4:
            return (), [], []
        if not all(k is list or k is tuple for k in kinds):
            if not all(k.__module__ in modules and not issubclass(k, node_class) for k in kinds):
                return (), [], []
            held = [_only_list(x, node_class) for x in inner]
            if not all(held):
                return (), [], []
            inner = held
        level = inner


def _only_list(value: Any, node_class: type) -> Any:
    """The one list of nodes that an object holds; None where it holds none, several, a matrix, or a node beside it."""
    parts = [v for _, v in attributes(value) if isinstance(v, list | tuple | dict | node_class)]
    is_row = len(parts) == 1 and isinstance(parts[0], list | tuple) and all(isinstance(x, node_class) for x in parts[0])
    return parts[0] if is_row else None


def plain_namespace(roots: list[dict[str, Any]], modules: set[str]) -> dict[str, Any]:
    """Values that a view can show or read labels from: numbers, texts, short lists and dicts of them.

    The module's own by name, those that the script's objects hold as ``object.name``.
    """
    found: dict[str, Any] = {}
    for root in roots:
        for name, value in list(root.items()):
            if name.startswith("__") or name in found:
                continue
            if (plain := _plain(value)) is not None:
                found[name] = plain
            elif getattr(type(value), "__module__", None) in modules and not isinstance(value, type):
                for attribute, held in attributes(value):
                    if isinstance(held, list | tuple | dict | str) and (plain := _plain(held)) is not None:
                        found[f"{name}.{attribute}"] = plain
    return found


def _plain(value: Any) -> Any:
    """A value as it is sent; None for what is not."""
    if type(value) in (int, float, bool):
        return value
    if isinstance(value, str):
        return value[:1000]
    if type(value) in (list, tuple) and 0 < len(value) <= 1024 and _scalars(value):
        return list(value)
    if type(value) is dict and 0 < len(value) <= 1024 and _scalars(value.values()) and _scalars(value):
        return {"keys": list(value), "values": list(value.values())}
    return None


def _scalars(values: Any) -> bool:
    return all(type(v) in (int, bool, str, float) for v in values)


def doubles(values: list[float]) -> array[float]:
    """A column of doubles from numbers; what is no number becomes NaN."""
    try:
        return array("d", values)
    except (TypeError, OverflowError):
        return array("d", [double(v) for v in values])


def double(value: Any) -> float:
    """A number as a double; NaN for what is none, or too large for one."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")
