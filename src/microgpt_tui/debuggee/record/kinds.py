"""The kinds that the encoder tells apart, and one scope of the running program."""

from __future__ import annotations

from typing import Any

from microgpt_tui.protocol.codes import BindKind, SiteKind

NAN = float("nan")
# An attribute of an enumeration is looked up in 0.1 µs, a global name in 0.01: this file is all about that.
SITE_ACCUMULATE = SiteKind.ACCUMULATE
SITE_APPEND = SiteKind.APPEND
SITE_ASSIGN = SiteKind.ASSIGN
SITE_BIND = SiteKind.BIND
SITE_CALL = SiteKind.CALL
SITE_CONSTANT = SiteKind.CONSTANT
SITE_CREATE = SiteKind.CREATE
SITE_ELEMENT = SiteKind.ELEMENT
SITE_EXPRESSION = SiteKind.EXPRESSION
SITE_PROPAGATE = SiteKind.PROPAGATE
SITE_MODULE = SiteKind.MODULE
SITE_OPERATION = SiteKind.OPERATION
SITE_PRINT = SiteKind.PRINT
SITE_SAMPLE = SiteKind.SAMPLE
SITE_STATEMENT = SiteKind.STATEMENT
SITE_ITERATION = SiteKind.ITERATION
SITE_UPDATE = SiteKind.UPDATE
SITE_BEFORE = SiteKind.BEFORE
SITE_SUSPEND = SiteKind.SUSPEND
SITE_RESUME = SiteKind.RESUME
SITE_GIVER = SiteKind.GIVER
BIND_INTEGER = int(BindKind.INTEGER)
BIND_NODE = int(BindKind.NODE)
BIND_NODES = int(BindKind.NODES)
BIND_NUMBER = int(BindKind.NUMBER)
BIND_NUMBERS = int(BindKind.NUMBERS)
BIND_OTHER = int(BindKind.OTHER)
BIND_TEXT = int(BindKind.TEXT)
FRAMES = (SITE_CALL, SITE_MODULE)


class Opaque:
    """A value too long to copy: only its length is kept."""

    __slots__ = ("length",)

    def __init__(self, length: int) -> None:
        self.length = length


class Scope:
    """One entry of the stack of scopes; ``number`` is -1 until an event happens inside."""

    __slots__ = ("binds", "kind", "number", "site", "start_node", "value")

    def __init__(self, site: int, kind: SiteKind, value: str = "") -> None:
        self.site = site
        self.kind = kind
        self.number = -1
        self.value = value
        self.binds: list[tuple[Any, ...]] | None = None
        self.start_node = -1


Maker = tuple[int, int, bool, str]
"""What a mark and its place tell of a node: operation number, site, whether it is a wrapped plain number, and the
operation's name where its sub-expression is still to be told (else empty)."""
