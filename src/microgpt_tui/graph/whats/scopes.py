"""The scopes around a value's birth: its statement, head, block, layer and position."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from microgpt_tui.graph.addresses import address
from microgpt_tui.graph.files import ExportError
from microgpt_tui.graph.folding import fold_selection, made_in, scope_of_node
from microgpt_tui.graph.group_picture import list_parameters, picture_of_groups
from microgpt_tui.graph.levels import ranks
from microgpt_tui.graph.picture import Picture
from microgpt_tui.graph.request import Subject, What
from microgpt_tui.graph.selection import with_operands
from microgpt_tui.graph.titles import scope_title
from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.trace.names import name
from microgpt_tui.trace.trace import Trace

_TESTS: dict[str, Callable[[int, SiteKind], bool]] = {
    "statement": lambda rank, kind: kind == SiteKind.STATEMENT,
    "head": lambda rank, kind: rank >= 3 and kind == SiteKind.ITERATION,
    "block": lambda rank, kind: rank >= 3 and kind in (SiteKind.CALL, SiteKind.ITERATION),
    "layer": lambda rank, kind: rank == 2 and kind == SiteKind.ITERATION,
    "position": lambda rank, kind: rank == 1 and kind == SiteKind.ITERATION,
}
"""By a scope's rank (see ``levels``) and kind."""


def scope_for(trace: Trace, node: int, what: str) -> int:
    """The innermost scope of a kind around a node's birth. Raises ExportError that lists what there is."""
    scope = scope_of_node(trace, node)
    path = trace.scope_path(scope) if scope >= 0 else []
    rank = ranks(trace).rank
    found = next((s for s in reversed(path) if _TESTS[what](rank[s], trace.scope_kind(s))), -1)
    if found < 0:
        where = " › ".join(scope_title(trace, s) for s in path) or "it is older than this step (a parameter?)"
        raise ExportError(f"no {what} around {name(trace, node)}: {where}. Select another value with --node.")
    return found


def picture(what: str, subject: Subject) -> Picture:
    """All that a scope made, with its direct operands."""
    trace = subject.trace
    scope = scope_for(trace, subject.node, what)
    nodes = with_operands(trace, made_in(trace, scope, subject.shown))
    folded = fold_selection(trace, nodes, subject.request.budget, scope=scope)
    found = picture_of_groups(trace, folded, subject.event, focus=subject.node)
    list_parameters(found)
    found.title = f"{what} {scope_title(trace, scope, 50)} of {address(trace, subject.node)}"
    return found


_MEANINGS = {
    "statement": "the statement that made the value",
    "head": "the inner loop iteration around it, such as an attention head",
    "block": "the function call or loop iteration around it",
    "layer": "the layer around it",
    "position": "the token position around it",
}
WHATS = tuple(What(what, meaning, partial(picture, what)) for what, meaning in _MEANINGS.items())
