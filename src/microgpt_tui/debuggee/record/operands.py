"""Which nodes an operation was made of, told from what it did: the nodes that it had when it made its result.

Most classes keep their operands in one container, as ``edges`` reads them when somebody looks. Whether a class does is
seen at its first operations; for one that does not (pairs, fields, objects of edges, closures, a tape) every operation
is looked at: the variables of the running function whose data it reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType, FunctionType, MethodType
from typing import Any

from microgpt_tui.debuggee.record.edges import attribute_names, operands_attribute
from microgpt_tui.debuggee.record.identity import identity_of
from microgpt_tui.debuggee.rewrite.sites import Making

ENOUGH = 4096
"""Operations after which it is clear how a class keeps its operands."""
LONGEST = 4096
"""Items of a container that are looked through."""
DEEPEST = 3
MAKERS = {"__init__", "__post_init__", "__new__"}


class Operands:
    """Watches the first operations, and where it has to all of them."""

    def __init__(self, files: dict[str, int]) -> None:
        self.files = files
        self.node_class: type = type(None)
        self.told: dict[int, tuple[Any, ...]] = {}
        """``id`` of a node of the running episode -> its operands, in the order of the operation's parameters."""
        self.kept = self.held = self.bare = 0
        """First operations whose result keeps its operands in a container of nodes; elsewhere; not at all."""
        self.waiting: tuple[Any, tuple[Any, ...]] | None = None
        self.watching = True

    @property
    def needed(self) -> bool:
        """The class keeps its operands in no container of nodes: what was observed is all there is."""
        return self.held > 0 or (self.kept == 0 and self.bare > 0)

    def of(self, node: Any) -> tuple[Any, ...]:
        """A node's operands by observation; empty where its own attributes are to be asked."""
        return self.told.get(identity_of(node), ()) if self.told and self.needed else ()

    def made(self, node: Any, making: Making, frame: FrameType | None) -> None:
        """An operation has made a node: look at the function that did, and at the node before (it is whole now)."""
        self.judge()
        while frame is not None and (frame.f_code.co_name in MAKERS or frame.f_code.co_filename not in self.files):
            frame = frame.f_back
        found = self.had(frame, making.reads) if frame is not None else ()
        if not found and frame is not None and making.wraps and frame.f_back is not None:
            found = self.had(frame.f_back, ())
        self.waiting = node, found
        if found:
            self.told[identity_of(node)] = found

    def had(self, frame: FrameType, reads: tuple[str, ...]) -> tuple[Any, ...]:
        """The nodes in these variables of a function, else in its parameters."""
        variables = frame.f_locals
        code = frame.f_code
        given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4)]
        for names in (reads, given):
            found = tuple(node for name in names for node in self.nodes_in(variables.get(name), 0))
            if found:
                return found
        return ()

    def nodes_in(self, value: Any, depth: int) -> Iterator[Any]:
        if isinstance(value, self.node_class):
            yield value
        elif isinstance(value, list | tuple | set | frozenset | dict) and depth < DEEPEST and len(value) <= LONGEST:
            for part in [x for pair in value.items() for x in pair] if isinstance(value, dict) else value:
                yield from self.nodes_in(part, depth + 1)

    def judge(self) -> None:
        """How the node that was made last keeps its operands: only now is it sure to have all its attributes."""
        if self.waiting is None:
            return
        node, operands = self.waiting
        self.waiting = None
        if self.held:
            return
        name = operands_attribute(node, self.node_class)
        stored = set(map(identity_of, getattr(node, name))) if name else set()
        own = set(map(identity_of, operands))
        if stored and (not own or stored & own):
            self.kept += 1
        elif own and self.holds(node, own):
            self.held += 1
        elif own:
            self.bare += 1

    def holds(self, node: Any, wanted: set[int]) -> bool:
        """Whether a node keeps one of these in anything that hangs on it."""
        todo: list[tuple[Any, int]] = [(getattr(node, name, None), 0) for name in attribute_names(node)]
        while todo:
            value, depth = todo.pop()
            if isinstance(value, self.node_class):
                if identity_of(value) in wanted:
                    return True
            elif depth <= DEEPEST:
                todo += [(part, depth + 1) for part in _parts(value)]
        return False

    def is_clear(self) -> bool:
        """Whether a class that keeps its operands in a container need not be watched any longer."""
        self.judge()
        return not self.needed and self.kept > 0

    def episode_opens(self) -> None:
        self.told.clear()
        self.waiting = None


def _parts(value: Any) -> list[Any]:
    """What hangs on a value: items, the attributes of a small object, what a function has closed over."""
    if isinstance(value, dict):
        return [*value, *value.values()] if len(value) <= LONGEST else []
    if isinstance(value, list | tuple | set | frozenset):
        return list(value) if len(value) <= LONGEST else []
    if isinstance(value, MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, FunctionType):
        closed = []
        for cell in value.__closure__ or ():
            try:
                closed.append(cell.cell_contents)
            except ValueError:  # not bound yet
                continue
        return [*closed, *(value.__defaults__ or ())]
    if isinstance(value, str | int | float | bytes | type) or value is None:
        return []
    return [getattr(value, name, None) for name in attribute_names(value)]
