"""What the source calls a node: ``q[3]``, ``layer0.attn_wq[5][2]``, ``attn_logits[1]``; never labelled by hand.

A parameter is named by where the script keeps it. Another node is named by the first variable
that was bound to it (or to a list with it) after it was made: ``q = linear(x, wq)`` names the
16 results that ``linear`` returned. What no variable ever held is named after the named node
that it is on the way to. The way back, from a name to a node, is ``trace.references``.
"""

from __future__ import annotations

from collections.abc import Sequence

from microgpt_tui.protocol.codes import APPENDED, CONSTANT_OP, WHOLE, BindKind, SiteKind
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.first_bindings import FirstBindings, first_bindings, leaf_count
from microgpt_tui.trace.sums import sum_at, term_at
from microgpt_tui.trace.trace import Matrix, Program, Trace
from microgpt_tui.trace.variables import bound_name, known_from

SYMBOLS = {
    "add": "+", "sub": "−", "mul": "×", "truediv": "÷", "neg": "−", "pow": "**", "matmul": "@",
}  # fmt: skip
"""How operations are written in a crowded place; others go by their name."""


def _nested_indices(shape: object, place: int) -> list[int]:
    if isinstance(shape, list):
        for i, inner in enumerate(shape):
            count = leaf_count(inner)
            if place < count:
                return [i, *_nested_indices(inner, place)]
            place -= count
    return [place]


def indices(shape: Sequence[int], place: int) -> tuple[int, ...]:
    """The indices of a row-major place: ``(27, 16)``, 35 -> ``(2, 3)``."""
    found: list[int] = []
    for length in reversed(shape[1:]):
        if length <= 0:
            return (place,)
        found.append(place % length)
        place //= length
    return (place, *reversed(found)) if shape else ()


def _bracketed(places: Sequence[int]) -> str:
    return "".join(f"[{i}]" for i in places)


# -- parameters ------------------------------------------------------------------------------


@derived
def _parameter_places(program: Program) -> dict[int, tuple[Matrix, int]]:
    places: dict[int, tuple[Matrix, int]] = {}
    for matrix in program.matrices:
        for i, node in enumerate(matrix.nodes):
            places.setdefault(node, (matrix, i))
    return places


@derived
def parameter_names(program: Program) -> dict[int, str]:
    """Parameter -> ``layer0.attn_wq[3][5]``; empty before the setup has ended."""
    return {node: _parameter_name(*place) for node, place in _parameter_places(program).items()}


def _parameter_name(matrix: Matrix, place: int) -> str:
    if matrix.flat is not None:
        name, start = matrix.flat
        return f"{name}[{start + place}]"
    return matrix.name + _bracketed(indices(matrix.shape, place))


def matrix_place(trace: Trace, node: int) -> tuple[Matrix, int] | None:
    """The matrix that holds a parameter, and its row-major place there."""
    return _parameter_places(trace.program).get(node) if node < trace.first_node or trace.index == 0 else None


# -- names -----------------------------------------------------------------------------------


def own_name(trace: Trace, node: int, event: int | None = None) -> str | None:
    """The name that a variable or a parameter list gives a node; None without one.

    With an event, as it was known then: before its variable is bound a node has no name, and the setup's own
    nodes become parameters when it has ended.
    """
    if node < trace.first_node or (event is None and trace.index == 0):
        held = _parameter_places(trace.program).get(node)
        if held is not None:
            return _parameter_name(*held)
        if node < trace.first_node:
            return None
    bindings = first_bindings(trace)
    found = bindings.place.get(node)
    if found is None or (event is not None and known_from(trace, found[0]) > event):
        return None
    return _written(trace, bindings, *found)


def _written(trace: Trace, bindings: FirstBindings, row: int, place: int) -> str:
    name, index = bound_name(trace, row), trace.bind_index[row]
    if index != WHOLE and trace.bind_path[row] >= 0:
        name += trace.texts[trace.bind_path[row]]
    if index >= 0 or index == APPENDED:
        name += f"[{bindings.appended.get(row, 0) if index == APPENDED else index}]"
    if trace.bind_kind[row] == BindKind.NODES:
        name += _bracketed(_nested_indices(trace.shapes[trace.bind_shape[row]], place))
    return name


@derived
def names_given(trace: Trace) -> dict[int, tuple[int, str]]:
    """Every named node of an episode -> (the event from which on it has its name, the name)."""
    bindings = first_bindings(trace)
    return {
        node: (known_from(trace, row), _written(trace, bindings, row, place))
        for node, (row, place) in bindings.place.items()
    }


@derived
def nodes_called(trace: Trace) -> dict[str, list[int]]:
    """Name -> the nodes of an episode that have it, in the order in which they were given it."""
    found: dict[str, list[int]] = {}
    for node, (_, text) in names_given(trace).items():
        found.setdefault(text, []).append(node)
    return found


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
    return _as_part(trace, node, heir) if heir >= 0 else f"{op} #{node}"


def _as_part(trace: Trace, node: int, heir: int) -> str:
    """An unnamed node on the way to a named one: a term of a sum, a sum up to a term, an operation in it."""
    whole = own_name(trace, heir)
    term, sum_ = term_at(trace, node), sum_at(trace, node)
    if term is not None:
        return f"term {term.term} {'of' if term.total == heir else 'in'} {whole}"
    if sum_ is None:
        return f"{symbol(trace.op_name(node))} in {whole}"
    up_to = f" up to term {sum_.term}" if sum_.term < sum_.terms else ""
    return f"{whole}{up_to}" if sum_.total == heir else f"sum in {whole}{up_to}"


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
    own = trace.program.episode_sites
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
