"""Where the nodes of a script keep their operands and local gradients: told from a node that has some."""

from __future__ import annotations

from typing import Any


def operands_attribute(node: Any, node_class: type) -> str | None:
    """The attribute that holds a node's operands; None for a node that has none."""
    for name in attribute_names(node):
        value = getattr(node, name, None)
        if isinstance(value, tuple | list | set | frozenset | dict) and value and _are_nodes(value, node_class):
            return name
    return None


def locals_attribute(node: Any, operands: str, node_class: type) -> str | None:
    """The attribute that holds a node's local gradients, one for each operand; None where it keeps none."""
    count = len(getattr(node, operands))
    for name in attribute_names(node):
        value = getattr(node, name, None)
        if isinstance(value, tuple | list) and len(value) == count and set(map(type, value)) <= {int, float, bool}:
            return name
        if isinstance(value, dict) and value and _are_nodes(value, node_class):
            return name
    return None


def _are_nodes(values: Any, node_class: type) -> bool:
    return all(isinstance(x, node_class) for x in values)


def attribute_names(node: Any) -> list[str]:
    """Slots first, then the attributes of its own."""
    return [n for cls in type(node).__mro__ for n in slots_of(cls)] + list(getattr(node, "__dict__", ()))


def slots_of(cls: type) -> tuple[str, ...]:
    """The slots that a class names."""
    slots = cls.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)
