"""Which places of the source an event belongs to, and how often each has made a node."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass

from microgpt_tui.protocol.codes import ACCUMULATE, ASSIGN, CREATE, PRINT, SAMPLE, UPDATE, ZERO, SiteKind
from microgpt_tui.trace.derived import growing
from microgpt_tui.trace.navigation import unit_of
from microgpt_tui.trace.trace import Site, Trace

BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Sites:
    """The places that belong to a moment."""

    statement: Site | None
    """The statement being executed."""
    here: Site | None
    """The sub-expression being executed, or the write of a grad or of data."""
    reached: Site | None
    """In a backward pass: where the forward pass made the node that is reached."""

    @property
    def focus(self) -> Site | None:
        """The one to look at."""
        return self.reached or self.here or self.statement


_COLUMNS = {UPDATE: "update_site", SAMPLE: "sample_site", PRINT: "print_site",
            **dict.fromkeys((ACCUMULATE, ASSIGN, ZERO), "write_site")}  # fmt: skip


def sites_of(trace: Trace, event: int) -> Sites:
    """The places that belong to an event."""
    program = trace.program
    kind, row = trace.kind[event], trace.row[event]
    here: Site | None = None
    if kind == CREATE:
        here = trace.site_of(trace.node_of(event))
    elif kind in _COLUMNS:
        here = _site(trace, getattr(trace, _COLUMNS[kind])[row])
    reached = trace.site_of(trace.target[row]) if kind in (ACCUMULATE, ASSIGN) else None
    unit = unit_of(trace, event)
    statement = program.site(trace.scope_site[unit]) if unit >= 0 else None
    if statement is not None and statement.kind != SiteKind.STATEMENT:
        statement = None
    if here is not None and here.statement >= 0:
        around = _site(trace, here.statement)
        if around is not None and (around.file, around.line) == (here.file, around.line):
            statement = around
    if statement is None or (here is not None and statement.file != here.file):
        statement = here
    return Sites(statement, here, reached)


def _site(trace: Trace, number: int) -> Site | None:
    return trace.program.sites[number] if 0 <= number < len(trace.program.sites) else None


class Made:
    """How many nodes each site has made: counted anew from the last of every few thousand nodes."""

    def __init__(self) -> None:
        self.blocks: list[Counter[int]] = [Counter()]

    def update(self, trace: Trace) -> None:
        """Take the new nodes."""
        while len(self.blocks) * BLOCK <= len(trace.site):
            done = len(self.blocks)
            block = self.blocks[-1].copy()
            block.update(trace.site[(done - 1) * BLOCK : done * BLOCK])
            self.blocks.append(block)

    def upto(self, trace: Trace, event: int) -> Counter[int]:
        """Counts by site of the nodes made by events 0..event."""
        count = bisect_right(trace.born, event)
        whole = min(count // BLOCK, len(self.blocks) - 1)
        rest: array[int] = trace.site[whole * BLOCK : count]
        found = self.blocks[whole].copy()
        found.update(rest)
        return found


@growing
def _made(trace: Trace) -> Made:
    return Made()


def made_by_line(trace: Trace, event: int, file: int) -> Counter[int]:
    """Line of a file -> how many nodes it has made in this episode up to an event."""
    lines: Counter[int] = Counter()
    for number, count in _made(trace).upto(trace, event).items():
        site = _site(trace, number)
        if site is not None and site.file == file:
            lines[site.line] += count
    return lines
