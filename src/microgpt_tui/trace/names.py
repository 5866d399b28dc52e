"""What the source calls a node: ``q[3]``, ``layer0.attn_wq[5][2]``, ``attn_logits[1]``; never labelled by hand.

A parameter is named by where the script keeps it. Another node is named by the first variable
that was bound to it (or to a list with it) after it was made: ``q = linear(x, wq)`` names the
16 results that ``linear`` returned. What no variable ever held is named after the named node
that it is on the way to.
"""

from __future__ import annotations

from microgpt_tui.protocol.codes import APPENDED, CONSTANT_OP, WHOLE, BindKind, SiteKind
from microgpt_tui.trace.trace import Matrix, Trace
from microgpt_tui.trace.variables import bound_name

SYMBOLS = {
    "add": "+", "sub": "−", "mul": "×", "truediv": "÷", "neg": "−", "pow": "**", "matmul": "@",
}  # fmt: skip
"""How operations are written in a crowded place; others go by their name."""


class _Names:
    """Node -> (binding row, place among its leaves), grown with the trace."""

    def __init__(self) -> None:
        self.place: dict[int, tuple[int, int]] = {}
        self.done = 0

    def update(self, trace: Trace) -> None:
        place = self.place
        nodes = trace.bound_nodes
        first = trace.first_node
        for row in range(self.done, len(trace.bind_event)):
            kind = trace.bind_kind[row]
            start = trace.bind_start[row]
            if kind == BindKind.NODE:
                count = 1
            elif kind == BindKind.NODES:
                count = _leaf_count(trace.shapes[trace.bind_shape[row]])
            else:
                continue
            for i in range(count):
                node = nodes[start + i]
                if node >= first and node not in place:
                    place[node] = row, i
        self.done = len(trace.bind_event)


def _leaf_count(shape: object) -> int:
    if isinstance(shape, int):
        return shape
    if isinstance(shape, list):
        return sum(_leaf_count(s) for s in shape)
    return 0


def _names(trace: Trace) -> _Names:
    found: _Names | None = trace.__dict__.get("_names")
    if found is None or found.done > len(trace.bind_event):
        found = trace.__dict__["_names"] = _Names()
    if found.done < len(trace.bind_event):
        found.update(trace)
    return found


def _parameter_places(trace: Trace) -> dict[int, tuple[Matrix, int]]:
    program = trace.program
    cached: tuple[int, dict[int, tuple[Matrix, int]]] | None = trace.__dict__.get("_parameter_places")
    if cached is None or cached[0] != len(program.matrices):
        places: dict[int, tuple[Matrix, int]] = {}
        for matrix in program.matrices:
            for i, node in enumerate(matrix.nodes):
                places.setdefault(node, (matrix, i))
        cached = trace.__dict__["_parameter_places"] = len(program.matrices), places
    return cached[1]


def indices(shape: tuple[int, ...], place: int) -> tuple[int, ...]:
    """The indices of a row-major place: ``(27, 16)``, 35 -> ``(2, 3)``."""
    found: list[int] = []
    for length in reversed(shape[1:]):
        if length <= 0:
            return (place,)
        found.append(place % length)
        place //= length
    return (place, *reversed(found)) if shape else ()


def _nested_indices(shape: object, place: int) -> list[int]:
    if isinstance(shape, list):
        for i, inner in enumerate(shape):
            count = _leaf_count(inner)
            if place < count:
                return [i, *_nested_indices(inner, place)]
            place -= count
    return [place]


def matrix_place(trace: Trace, node: int) -> tuple[Matrix, int] | None:
    """The matrix that holds a parameter, and its row-major place there."""
    return _parameter_places(trace).get(node) if node < trace.first_node or trace.index == 0 else None


def own_name(trace: Trace, node: int) -> str | None:
    """The name that a variable or a parameter list gives a node, or None."""
    held = matrix_place(trace, node)
    if held is not None:
        matrix, place = held
        return matrix.name + "".join(f"[{i}]" for i in indices(matrix.shape, place))
    if node < trace.first_node:
        return None
    found = _names(trace).place.get(node)
    if found is None:
        return None
    row, place = found
    name = bound_name(trace, row)
    index = trace.bind_index[row]
    is_iteration = trace.program.site(trace.bind_site[row]).kind == SiteKind.ITERATION
    if index != WHOLE and not is_iteration and trace.bind_path[row] >= 0:
        name += trace.texts[trace.bind_path[row]]
    if index >= 0:
        name += f"[{index}]"
    elif index == APPENDED and trace.bind_kind[row] == BindKind.NODE:
        name += f"[{_appended_place(trace, row)}]"
    if trace.bind_kind[row] == BindKind.NODES:
        shape = trace.shapes[trace.bind_shape[row]]
        name += "".join(f"[{i}]" for i in _nested_indices(shape, place))
    return name


def _appended_place(trace: Trace, row: int) -> int:
    """How many items were appended to the same list before this one in this episode."""
    identity, path = trace.bind_list[row], trace.bind_path[row]
    count = 0
    for earlier in range(row - 1, -1, -1):
        if trace.bind_list[earlier] == identity:
            if trace.bind_index[earlier] == APPENDED and trace.bind_path[earlier] == path:
                count += 1
            elif trace.bind_index[earlier] == WHOLE:
                shape = trace.shapes[trace.bind_shape[earlier]] if trace.bind_shape[earlier] >= 0 else 0
                return count + (shape if isinstance(shape, int) else len(shape))
    return count


def symbol(op: str) -> str:
    """``+`` for add; the operation's own name where there is no sign for it."""
    return SYMBOLS.get(op, op)


def name(trace: Trace, node: int) -> str:
    """A node's name for display: its own, else its operation on the way to a named one, else ``mul #31877``."""
    if node < 0:
        return "?"
    own = own_name(trace, node)
    if own is not None:
        return own
    op = trace.op_name(node)
    if op == CONSTANT_OP or (op == "leaf" and node >= trace.first_node):
        return f"{trace.data_at(node, len(trace)):.6g}"
    heir = heir_of(trace, node)
    if heir >= 0:
        return f"{symbol(op)} in {own_name(trace, heir)}"
    return f"{op} #{node}"


def heir_of(trace: Trace, node: int, limit: int = 400) -> int:
    """The first named node that this one leads to through single users, or -1."""
    for _ in range(limit):
        users = trace.users(node)
        if len(set(users)) != 1:
            return -1
        node = users[0]
        if own_name(trace, node) is not None:
            return node
    return -1


def place_text(trace: Trace, event: int) -> str:
    """Where an event happened, by the loops around it: ``pos_id=4 · li=0 · h=2``."""
    own = {trace.program.train_site, trace.program.sample_site}
    iterations = [
        trace.scope_values.get(s, "")
        for s in trace.scope_path(trace.scope_of(event))
        if trace.scope_kind(s) == SiteKind.ITERATION and trace.scope_site[s] not in own
    ]
    return " · ".join(t for t in iterations if t)


def describe(trace: Trace, node: int) -> str:
    """A node's name and where it was made: ``attn_logits[1] · pos_id=4 · li=0 · h=2``."""
    born = trace.born_at(node)
    where = place_text(trace, born) if born >= 0 else ""
    return f"{name(trace, node)} · {where}" if where else name(trace, node)
