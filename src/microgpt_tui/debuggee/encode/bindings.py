"""What variables were bound to, into columns."""

from __future__ import annotations

from typing import Any

from microgpt_tui.debuggee.encode.columns import Columns
from microgpt_tui.debuggee.encode.nodes import Nodes
from microgpt_tui.debuggee.record.identity import identity_of
from microgpt_tui.debuggee.record.kinds import (
    BIND_INTEGER,
    BIND_NODE,
    BIND_NODES,
    BIND_NUMBER,
    BIND_NUMBERS,
    BIND_OTHER,
    BIND_TEXT,
    NAN,
    Opaque,
)
from microgpt_tui.debuggee.record.walk import doubles
from microgpt_tui.protocol.codes import NO_NODE


class Bindings:
    """Fills the columns of the variables."""

    def __init__(self, columns: Columns, nodes: Nodes, weights: dict[int, Any]) -> None:
        self.columns = columns
        self.nodes = nodes
        self.weights = weights
        """Lists of parameters, by ``id``."""
        self.weight_places: dict[int, tuple[int, Any]] = {}
        """Of these the ones whose nodes are in ``bound_nodes`` already."""
        self.put_bind = [
            columns.c["bind_" + name].append
            for name in ("event", "scope", "site", "kind", "start", "shape", "path", "index", "list")
        ]

    def write_bind(
        self, scope: int, event: int, code: int, value: Any, name: str, path: str, index: int, identity: int
    ) -> None:
        c = self.columns.c
        kind = type(value)
        shape: Any = None
        start = 0
        if self.nodes.pending and kind is not float and kind is not int:
            self.nodes.flush()
        if kind is float:
            which, start = BIND_NUMBER, len(c["bound_numbers"])
            c["bound_numbers"].append(value)
        elif kind is int or kind is bool:
            which, start = BIND_INTEGER, len(c["bound_numbers"])
            c["bound_numbers"].append(float(value) if abs(value) < 2**53 else NAN)
        elif kind is str:
            which, start = BIND_TEXT, self.columns.text(value[:200])
        elif kind is Opaque:
            which, shape = BIND_OTHER, value.length
        elif kind is tuple or kind is list:
            leaves: list[Any] = []
            first: Any = None
            known = self.weight_places.get(identity_of(value))
            if known is not None:
                which, (start, shape) = BIND_NODES, known
            else:
                shape = self.flatten(value, leaves)
                first = leaves[0] if leaves else None
            if known is not None:
                pass
            elif isinstance(first, self.columns.node_class):
                which, start = BIND_NODES, len(c["bound_nodes"])
                ids = self.nodes.ids
                for leaf in leaves:
                    number = ids.get(identity_of(leaf))
                    if number is None:
                        number = self.nodes.number_of(leaf) if isinstance(leaf, self.columns.node_class) else NO_NODE
                    c["bound_nodes"].append(number)
                if identity_of(value) in self.weights:
                    self.weight_places[identity_of(value)] = start, shape
            elif first is None or type(first) in (int, float, bool):
                which, start = BIND_NUMBERS, len(c["bound_numbers"])
                c["bound_numbers"].extend(doubles(leaves))
            else:
                which = BIND_OTHER
        elif isinstance(value, self.columns.node_class):
            which, start = BIND_NODE, len(c["bound_nodes"])
            number = self.nodes.ids.get(identity_of(value))
            c["bound_nodes"].append(self.nodes.number_of(value) if number is None else number)
        else:
            which, shape = BIND_OTHER, len(value) if kind in (dict, set, frozenset) else 0
        place = self.columns.text(path or name) if path or name else -1
        numbers = (
            event,
            scope,
            code,
            which,
            start,
            -1 if shape is None else self.columns.shape(shape),
            place,
            index,
            identity,
        )
        for put, number in zip(self.put_bind, numbers, strict=True):
            put(number)

    def write_number(
        self, scope: int, code: int, value: float, name: str, path: str, index: int, identity: int
    ) -> None:
        """The most frequent binding: a plain number."""
        put_event, put_scope, put_site, put_kind, put_start, put_shape, put_path, put_index, put_list = self.put_bind
        c = self.columns.c
        numbers = c["bound_numbers"]
        put_event(len(c["kind"]) + len(self.nodes.pending))
        put_scope(scope)
        put_site(code)
        put_kind(BIND_NUMBER)
        put_start(len(numbers))
        put_shape(-1)
        put_path(self.columns.text(path or name) if path or name else -1)
        put_index(index)
        put_list(identity)
        numbers.append(value)

    def flatten(self, value: Any, leaves: list[Any]) -> Any:
        """A nesting's shape: a number for a flat list, else a list of the parts' shapes (one number n×m as [n, m])."""
        if not value or not isinstance(value[0], tuple | list):
            leaves.extend(value)
            return len(value)
        return [self.flatten(part, leaves) if isinstance(part, tuple | list) else 0 for part in value]
