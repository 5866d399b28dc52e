"""The tree of calls and loop iterations, and where an event stands in it."""

from __future__ import annotations

from microgpt_tui.protocol.codes import ACCUMULATE, ASSIGN, SiteKind
from microgpt_tui.trace.derived import growing
from microgpt_tui.trace.trace import Trace


class Blocks:
    """Calls and loop iterations by the block around them, grown with the trace."""

    def __init__(self) -> None:
        self.done = 0
        self.parent: dict[int, int] = {}
        self.inner: dict[int, list[int]] = {}

    def update(self, trace: Trace) -> None:
        """Take the new scopes."""
        sites = trace.program.sites
        parents, kinds = trace.scope_parent, trace.scope_site
        for scope in range(self.done, len(parents)):
            outer = parents[scope]
            while outer >= 0 and outer not in self.parent and outer < scope:
                outer = parents[outer]
            site = sites[kinds[scope]]
            if site is not None and site.kind in (SiteKind.CALL, SiteKind.ITERATION):
                self.parent[scope] = outer
                self.inner.setdefault(outer, []).append(scope)
        self.done = len(parents)


@growing
def blocks(trace: Trace) -> Blocks:
    """The tree of a trace's blocks."""
    return Blocks()


def block_path(trace: Trace, event: int) -> list[int]:
    """Calls and loop iterations around an event, outermost first."""
    return [
        s for s in trace.scope_path(trace.scope_of(event)) if trace.scope_kind(s) in (SiteKind.CALL, SiteKind.ITERATION)
    ]


def forward_place(trace: Trace, event: int) -> int:
    """In a backward pass, the event that made the node which is reached; -1 elsewhere or for an older node."""
    if trace.kind[event] in (ACCUMULATE, ASSIGN):
        return trace.born_at(trace.node_of(event))
    return -1


def breadcrumb(trace: Trace, event: int) -> str:
    """``step=2 › backward  of  pos_id=2 › gpt(…) › h=0``: where, and in a backward pass of what."""
    here = " › ".join(trace.scope_label(s) for s in block_path(trace, event)) or trace.episode_kind
    born = forward_place(trace, event)
    if born >= 0:
        own = set(block_path(trace, event))
        path = [trace.scope_label(s) for s in block_path(trace, born) if s not in own]
        if path:
            here += "  of  " + " › ".join(path)
    return here
