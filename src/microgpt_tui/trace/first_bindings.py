"""Which binding names a node: the first one after it was made."""

from __future__ import annotations

from microgpt_tui.protocol.codes import APPENDED, REPLACED, WHOLE, BindKind
from microgpt_tui.trace.derived import growing
from microgpt_tui.trace.trace import Trace
from microgpt_tui.trace.variables import path_keys


class FirstBindings:
    """Node -> the binding that names it. Grows with the trace."""

    def __init__(self) -> None:
        self.place: dict[int, tuple[int, int]] = {}
        """Node -> (binding row, its place among the leaves bound there)."""
        self.appended: dict[int, int] = {}
        """Row of an append -> how many items the list had."""
        self._lists: dict[int, tuple[object, dict[str, int]]] = {}
        """A list's identity -> (its nesting when it was bound, path to a part -> length of what has grown)."""
        self._done = 0

    def update(self, trace: Trace) -> None:
        """Take in the rows that came since."""
        place, nodes, first = self.place, trace.bound_nodes, trace.first_node
        for row in range(self._done, len(trace.bind_event)):
            kind = trace.bind_kind[row]
            shape = trace.shapes[trace.bind_shape[row]] if trace.bind_shape[row] >= 0 else None
            if trace.bind_list[row]:
                self._measure(trace, row, shape)
            if kind not in (BindKind.NODE, BindKind.NODES):
                continue
            start = trace.bind_start[row]
            for i in range(leaf_count(shape) if kind == BindKind.NODES else 1):
                node = nodes[start + i]
                if node >= first and node not in place:
                    place[node] = row, i
        self._done = len(trace.bind_event)

    def _measure(self, trace: Trace, row: int, shape: object) -> None:
        """How long lists are: what is appended is called by its place."""
        identity, index = trace.bind_list[row], trace.bind_index[row]
        if index == WHOLE:
            self._lists[identity] = shape, {}
        elif index in (APPENDED, REPLACED):
            whole, lengths = self._lists.setdefault(identity, (None, {}))
            path = trace.texts[trace.bind_path[row]] if trace.bind_path[row] >= 0 else ""
            if index == APPENDED:
                self.appended[row] = lengths[path] if path in lengths else _length(whole, path_keys(path))
                lengths[path] = self.appended[row] + 1
            else:
                lengths[path] = _length(shape, [])


def _length(shape: object, path: list[int | str]) -> int:
    for key in path:
        shape = (
            shape[key] if isinstance(shape, list) and isinstance(key, int) and -len(shape) <= key < len(shape) else 0
        )
    return len(shape) if isinstance(shape, list) else shape if isinstance(shape, int) else 0


@growing
def first_bindings(trace: Trace) -> FirstBindings:
    """The bindings that name the nodes of an episode."""
    return FirstBindings()


def leaf_count(shape: object) -> int:
    """How many leaves a nesting has."""
    return shape if isinstance(shape, int) else sum(map(leaf_count, shape)) if isinstance(shape, list) else 0
