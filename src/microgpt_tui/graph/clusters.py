"""Frames around boxes: the calls and loop iterations that they were made in."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from microgpt_tui.graph.picture import Box, Picture
from microgpt_tui.graph.titles import call_name, scope_title
from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.trace.trace import Trace

_FRAMED = (SiteKind.CALL, SiteKind.ITERATION)


def add_clusters(trace: Trace, picture: Picture) -> None:
    """Frames for the calls and loop iterations that hold at least two boxes, and not all of them."""
    paths = {box.key: _frames(trace, box) for box in picture.boxes if box.scope >= 0}
    inside = Counter(scope for path in paths.values() for scope in path)
    total = len(picture.boxes)
    joined = {scope for box in picture.boxes if box.iterations > 1 for scope in paths.get(box.key, ())}
    drawn = {scope for scope, count in inside.items() if 2 <= count < total}
    # of scopes around the very same boxes the inner one tells more
    for path in paths.values():
        for outer, inner in pairwise(path):
            if outer in drawn and inner in drawn and inside[outer] == inside[inner]:
                drawn.discard(outer)
    for box in picture.boxes:
        path = [s for s in paths.get(box.key, ()) if s in drawn]
        for depth, scope in enumerate(path):
            if scope not in picture.clusters:
                label = scope_title(trace, scope, 40) if scope not in joined else iteration_name(trace, scope)
                picture.clusters[scope] = label, path[depth - 1] if depth else -1
        box.cluster = path[-1] if path else -1


def _frames(trace: Trace, box: Box) -> list[int]:
    scopes = trace.scope_path(box.scope)
    if box.node < 0 and scopes and scopes[-1] == box.scope:
        scopes = scopes[:-1]
    own = trace.program.episode_sites
    return [s for s in scopes if trace.scope_kind(s) in _FRAMED and trace.scope_site[s] not in own]


def iteration_name(trace: Trace, scope: int) -> str:
    """What the iterations of a loop, or the calls of a function, are called together."""
    site = trace.program.site(trace.scope_site[scope])
    if site.kind == SiteKind.ITERATION:
        return ", ".join(site.names) or site.name or "iteration"
    return call_name(trace.program, site) if site.kind == SiteKind.CALL and site.name else scope_title(trace, scope, 20)
