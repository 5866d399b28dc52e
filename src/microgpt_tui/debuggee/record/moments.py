"""An optimizer's numbers, wherever the script keeps them: a float per parameter, in a structure beside the parameters.

A list as long as a list of parameters, pairs, dicts by parameter, ``id`` or name, lists shaped like the matrices,
attributes of the parameters themselves. What is found here are candidates; whether their numbers follow the gradients
is told by ``recognise``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from microgpt_tui.debuggee.record.identity import identity_of
from microgpt_tui.debuggee.record.walk import attributes

MAX_DEPTH = 5
MOST_TOGETHER = 4
"""Numbers per parameter that are kept side by side."""
LOOKS = 4
"""At so many beginnings and ends it is looked for: some optimizers make their numbers when they are first used."""

Roots = list[tuple[Any, dict[str, Any]]]
"""The script's namespaces, each with what it belongs to: a module's number, or the code of a function that runs."""
Path = Callable[[Roots], Any]


@dataclass(frozen=True, slots=True)
class Structure:
    """Where numbers are, and of which parameters."""

    name: str
    numbers: Path
    """From the script's namespaces to a flat list of floats, or None."""
    order: list[int]
    """Places of the parameters that they are of."""
    stride: int
    """How many there are per parameter, side by side."""


Read = list[tuple[Structure, list[float]]]


class Moments:
    """Finds the structures, and reads them anew at every call: a script may build them anew."""

    def __init__(self, node_class: type, nodes: list[Any], modules: set[str], taken: tuple[str, str]) -> None:
        self.node_class = node_class
        self.modules = modules
        self.taken = taken
        """Attributes of a node that hold its data and its gradient."""
        self.nodes = nodes
        self.places = {identity_of(node): i for i, node in enumerate(nodes)}
        self.structures: list[Structure] = []
        self.looks = 0

    def read(self, roots: Roots, *, look: bool) -> Read:
        """The numbers as they are now, as they stand in their structures; with ``look``, in new ones too."""
        if look and self.looks < LOOKS:
            self.looks += 1
            self.structures = self._find(roots)
        found: Read = []
        for structure in self.structures:
            try:
                flat = structure.numbers(roots)
            except (LookupError, AttributeError, TypeError, ValueError, StopIteration):
                continue  # built otherwise by now
            if flat is not None and len(flat) == len(structure.order) * structure.stride:
                found.append((structure, list(flat)))
        return found

    def columns(self, read: Read) -> dict[str, list[float]]:
        """Name -> a number per parameter, NaN for those that have none."""
        found = {}
        for structure, flat in read:
            for offset in range(structure.stride):
                column = [float("nan")] * len(self.nodes)
                for place, number in zip(structure.order, flat[offset :: structure.stride], strict=True):
                    column[place] = number
                found[structure.name if structure.stride == 1 else f"{structure.name}[{offset}]"] = column
        return found

    # -- finding -------------------------------------------------------------------------------

    def _find(self, roots: Roots) -> list[Structure]:
        lists, dicts = self._parameter_structures(roots)
        found: dict[str, Structure] = {}
        seen: set[int] = set()
        for owner, root in roots:
            for name, value in list(root.items()):
                if not name.startswith("__") and name not in found:
                    path = _from_root(owner, name)
                    for structure in self._candidates(name, value, path, lists, dicts, seen, 0):
                        found.setdefault(structure.name, structure)
        return [*found.values(), *self._attributes_of_nodes()]

    def _parameter_structures(self, roots: Roots) -> tuple[dict[int, list[int]], list[dict[Any, list[int]]]]:
        """Flat orders of parameters by their length, and dicts of them: key -> places."""
        lists: dict[int, list[int]] = {len(self.nodes): list(range(len(self.nodes)))}
        dicts: list[dict[Any, list[int]]] = []
        seen: set[int] = set()
        todo = [(value, 0) for _, root in roots for name, value in list(root.items()) if not name.startswith("__")]
        while todo:
            value, depth = todo.pop(0)
            if identity_of(value) in seen or depth > MAX_DEPTH:
                continue
            if isinstance(value, list | tuple | dict):
                seen.add(identity_of(value))
                places = self._places_of(value)
                if places and len(set(places)) == len(places):
                    if type(value) is list and isinstance(value[0], self.node_class):
                        lists[len(places)] = places  # the list that an optimizer walks along
                    lists.setdefault(len(places), places)
                if isinstance(value, dict):
                    own = {k: p for k, v in list(value.items()) if (p := self._places_of(v))}
                    if own:
                        dicts.append(own)
                todo += [(part, depth + 1) for part in _parts(value) if isinstance(part, list | tuple | dict)]
            elif self._is_own(value):
                seen.add(identity_of(value))
                todo += [(part, depth + 1) for part in list(vars(value).values())]
        return lists, dicts

    def _places_of(self, value: Any) -> list[int]:
        """Places of the parameters in a nest of lists and dicts, in its order; empty where anything else is in it."""
        if isinstance(value, self.node_class):
            place = self.places.get(identity_of(value))
            return [] if place is None else [place]
        if not isinstance(value, list | tuple | dict):
            return []
        found: list[int] = []
        for part in _parts(value):
            own = self._places_of(part)
            if not own:
                return []
            found += own
        return found

    def _candidates(
        self, name: str, value: Any, path: Path, lists: dict[int, list[int]],
        dicts: list[dict[Any, list[int]]], seen: set[int], depth: int,
    ) -> Iterator[Structure]:  # fmt: skip
        if depth > MAX_DEPTH or identity_of(value) in seen:
            return
        if isinstance(value, dict) and value:
            by_key = self._by_key(value, dicts)
            if by_key is not None:
                order = [place for places in by_key.values() for place in places]
                flat = self._ordered(value, by_key)
                if flat is not None:
                    seen.add(identity_of(value))
                    stride = len(flat) // len(order)
                    yield Structure(name, lambda roots: self._ordered(path(roots), by_key), order, stride)
                    return
        if isinstance(value, list | tuple | dict) and value:
            seen.add(identity_of(value))
            flat = self._numbers(value)
            if flat is not None:
                for together in range(1, MOST_TOGETHER + 1):
                    known = lists.get(len(flat) // together) if len(flat) % together == 0 else None
                    if known is not None and (together == 1 or self._innermost(value) == together):
                        yield Structure(name, lambda roots: self._numbers(path(roots)), known, together)
                        return
            items = value.items() if isinstance(value, dict) else enumerate(value[:64])
            for key, part in list(items)[:4096]:
                if isinstance(part, list | tuple | dict) or self._is_own(part):
                    inner = f"{name}.{key}" if isinstance(key, str) else f"{name}[{key!r}]"
                    yield from self._candidates(inner, part, _item(path, key), lists, dicts, seen, depth + 1)
        elif self._is_own(value):
            seen.add(identity_of(value))
            for key, part in list(vars(value).items()):
                yield from self._candidates(f"{name}.{key}", part, _attribute(path, key), lists, dicts, seen, depth + 1)

    def _by_key(self, value: dict[Any, Any], dicts: list[dict[Any, list[int]]]) -> dict[Any, list[int]] | None:
        """Key -> places of the parameters that its numbers are of; None where the keys stand for none."""
        ids = {k: [self.places[k]] for k in value if isinstance(k, int) and k in self.places}
        if len(ids) == len(value):
            return ids
        own = {
            k: [self.places[identity_of(k)]]
            for k in value
            if isinstance(k, self.node_class) and identity_of(k) in self.places
        }
        if len(own) == len(value):
            return own
        return next(({k: known[k] for k in value} for known in dicts if value.keys() <= known.keys()), None)

    def _ordered(self, value: dict[Any, Any], by_key: dict[Any, list[int]]) -> list[float] | None:
        """The numbers of a dict by its keys; None where they are not as many for each parameter."""
        found: list[float] = []
        strides = set()
        for key, places in by_key.items():
            own = self._numbers(value[key])
            if own is None or len(own) % len(places):
                return None
            strides.add(len(own) // len(places))
            found += own
        return found if len(strides) == 1 else None

    def _numbers(self, value: Any) -> list[float] | None:
        """The numbers in a nest of lists, dicts and the script's own objects; None where anything else is in it."""
        if issubclass(type(value), float):
            return [float.__float__(value)]  # of a kind of its own, as NumPy's: its own code is not called
        if type(value) is int and value == 0:
            return [value]
        if not isinstance(value, list | tuple | dict) and not self._is_own(value):
            return None
        if type(value) is list and set(map(type, value)) == {float}:
            return value
        found: list[float] = []
        for part in _parts(value):
            if issubclass(type(part), float):
                found.append(float.__float__(part))
                continue
            own = self._numbers(part)
            if own is None:
                return None
            found += own
        return found

    def _innermost(self, value: Any) -> int:
        """How many numbers stand together at the bottom of a nest."""
        while True:
            parts = _parts(value)
            if not parts or type(parts[0]) in (int, float):
                return len(parts)
            value = parts[0]

    def _attributes_of_nodes(self) -> list[Structure]:
        """Numbers that the parameters themselves carry."""
        nodes = self.nodes
        names = [
            name for name, value in (attributes(nodes[-1]) if nodes else ())
            if name not in self.taken and type(value) is float
        ]  # fmt: skip

        def numbers(name: str) -> Path:
            return lambda _: [float(getattr(node, name, float("nan"))) for node in nodes]

        return [Structure(f".{name}", numbers(name), list(range(len(nodes))), 1) for name in names]

    def _is_own(self, value: Any) -> bool:
        """True for an object of a class of the script's own that is no node."""
        kind = type(value)
        return (
            getattr(kind, "__module__", None) in self.modules
            and not isinstance(value, type | self.node_class)
            and type(value).__dictoffset__ != 0
        )


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else list(vars(value).values())


def _from_root(owner: Any, name: str) -> Path:
    return lambda roots: next(root for own, root in roots if own == owner and name in root)[name]


def _item(path: Path, key: Any) -> Path:
    return lambda roots: path(roots)[key]


def _attribute(path: Path, name: str) -> Path:
    return lambda roots: getattr(path(roots), name)
