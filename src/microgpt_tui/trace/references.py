"""From a name to what it stands for at a moment: ``q[3]``, ``model.layers[0].w[2].grad``, ``layer0.attn_wq``, ``#123``.

The way back from ``trace.names``: whatever is shown as a name is understood here, for every command alike.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from microgpt_tui.protocol.codes import BindKind
from microgpt_tui.protocol.conditions import NAN
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.names import nodes_called, parameter_names
from microgpt_tui.trace.trace import Program, Trace
from microgpt_tui.trace.variables import Nested, variable

Value = float | int | str | tuple[Any, ...]


class NotHere(LookupError):
    """Something that the expression names does not exist at this moment."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A thing of the script: a parameter, or a variable, by name and indices."""

    parts: tuple[str | int, ...]
    """Names and indices in order: ``("model", "layers", 0, "w", 2)``; a dict's key counts as a name."""
    attribute: str
    """``data`` or ``grad``."""
    keyed: bool = False
    """The second part is a dict's key (``state_dict["layer0.wq"]``): a name by itself."""

    @property
    def text(self) -> str:
        """As it is shown, without the attribute: ``model.layers[0].w[2]``."""
        return _text(self.parts)

    @property
    def splits(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """(what may be a name of the script, the indices behind it), the longest name first."""
        for parts in self.ways:
            for end in range(len(parts), 0, -1):
                indices = tuple(i for i in parts[end:] if isinstance(i, int))
                if len(indices) == len(parts) - end:
                    yield _text(parts[:end]), indices

    @property
    def ways(self) -> tuple[tuple[str | int, ...], ...]:
        """The parts as they are written, and from a dict's key on."""
        return (self.parts, self.parts[1:]) if self.keyed else (self.parts,)


def _text(parts: tuple[str | int, ...]) -> str:
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in parts).removeprefix(".")


def read(node: ast.expr, program: Program) -> Reference | None:
    """A chain of names, attributes and constant indices as a reference; None for anything else."""
    attribute = "data"
    names = {program.data_name: "data", program.grad_name: "grad", "data": "data", "grad": "grad"}
    if isinstance(node, ast.Attribute) and node.attr in names:
        attribute, node = names[node.attr], node.value
    parts: list[str | int] = []
    keyed = False
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
        elif isinstance(node, ast.Subscript):
            try:
                index = ast.literal_eval(node.slice)
            except ValueError:
                return None
            if type(index) not in (int, str):
                return None
            parts.insert(0, index)
        else:
            return None
        keyed = isinstance(node, ast.Subscript) and isinstance(parts[0], str)
        node = node.value
    return Reference((node.id, *parts), attribute, keyed)


def read_text(text: str, program: Program) -> Reference | None:
    """As ``read``, from text."""
    try:
        return read(ast.parse(text.strip(), mode="eval").body, program)
    except (SyntaxError, ValueError):
        return None


def nodes_of(reference: Reference, trace: Trace, event: int) -> tuple[Nested, bool]:
    """(what a reference stands for at a moment, whether that is nodes): a variable in scope, else parameters,
    else the newest node that has the name. Raises NotHere."""
    unknown = f"{reference.text} is not in scope here: no value is called {reference.text!r} at this moment"
    for name, indices in reference.splits:
        found = variable(trace, event, name)
        if found is not None and found.kind == BindKind.OTHER:
            unknown = f"{name} is too long, or of a kind that is not recorded"
        elif found is not None or name in _matrices(trace.program):
            value = found.value if found is not None else _matrices(trace.program)[name]
            try:
                for index in indices:
                    value = value[index]
            except (IndexError, TypeError):
                unknown = f"{reference.text} is out of range here"
                continue
            return value, found is None or found.has_nodes
    made = [n for n in nodes_called(trace).get(reference.text, ()) if trace.born_at(n) <= event]
    if not made:
        raise NotHere(unknown)
    return max(made), True


def look_up(reference: Reference, trace: Trace, event: int) -> Value:
    """The number, text or nested numbers that a reference stands for. Raises NotHere."""
    value, is_node = nodes_of(reference, trace, event)

    def number(leaf: Any) -> Any:
        if isinstance(leaf, list):
            return tuple(number(part) for part in leaf)
        if not is_node:
            return leaf
        if leaf < 0:
            return NAN
        return trace.grad_at(leaf, event) if reference.attribute == "grad" else trace.data_at(leaf, event)

    made: Value = number(value)
    return made


def node_named(trace: Trace, text: str, event: int) -> int:
    """The node that ``q[3]``, ``model.layers[0].w[2]`` or ``#123`` names at a moment. Raises NotHere."""
    digits = text.strip().removeprefix("#")
    if digits.isdecimal():
        if int(digits) >= trace.end_node or trace.born_at(int(digits)) > event:
            raise NotHere(f"there is no node {digits} at this moment")
        return int(digits)
    reference = read_text(text, trace.program)
    if reference is None:
        raise NotHere(f"{text!r} names no value: write a name with its indices, as q[3]")
    value, is_node = nodes_of(reference, trace, event)
    if not is_node or not isinstance(value, int) or value < 0:
        raise NotHere(f"{text} names no single value here")
    return value


def parameters_called(program: Program, reference: Reference) -> frozenset[int]:
    """The parameters that a name stands for: one, or all of a list, a layer or a model."""
    texts = [_text(parts) for parts in reference.ways]
    return frozenset(
        node for node, name in parameter_names(program).items()
        if any(name == text or name.startswith((text + "[", text + ".")) for text in texts)
    )  # fmt: skip


@derived
def _matrices(program: Program) -> dict[str, Any]:
    """Name -> the nodes that the script keeps under it, nested as they are there."""
    return {m.name: _nested(list(m.nodes), m.shape) for m in reversed(program.whole)}


def _nested(flat: list[int], shape: tuple[int, ...]) -> Any:
    if not shape:
        return flat[0]
    parts: list[Any] = list(flat)
    for size in reversed(shape[1:]):
        if size <= 0:
            return flat
        parts = [parts[i : i + size] for i in range(0, len(parts), size)]
    return parts
