"""Fold levels: which scopes of the running program stand for a position, a layer, a block, a statement.

The hierarchy is the script's own. A *position* is an iteration of the loop over tokens; a *layer* is the
outermost loop iteration inside it that calls functions; a *block* is any other call, loop iteration, or
statement that makes a call; a *statement* is a statement that does not. Every scope gets a
rank; a fold at a level closes the outermost scope of at least that rank on each node's path, so
that a finer level always divides the groups of a coarser one and never joins them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from enum import IntEnum

from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.trace.derived import derived, growing
from microgpt_tui.trace.positions import position_site
from microgpt_tui.trace.trace import Trace


class Level(IntEnum):
    """How far a graph is folded; a higher number shows more."""

    POSITIONS = 1
    LAYERS = 2
    BLOCKS = 3
    STATEMENTS = 4
    OPERATIONS = 5

    @property
    def label(self) -> str:
        """``positions``, ``layers``, ..."""
        return self.name.lower()


_STATEMENT, _CALL, _ITERATION, _LAYER, _POSITION = 1, 2, 4, 8, 16
_CONTAINS = {SiteKind.STATEMENT: _STATEMENT, SiteKind.CALL: _CALL, SiteKind.ITERATION: _ITERATION}


class Ranks:
    """The rank of every scope of a trace, kept while the trace grows.

    What a site contains is learnt once for all of its scopes. When something new is learnt, the
    ranks of earlier scopes may change and all are assigned again (``generation`` goes up).
    """

    def __init__(self) -> None:
        self.rank: list[int] = []
        self.generation = 0
        self._pairs: set[tuple[int, int]] = set()
        self._contains: dict[int, int] = {}
        self._in_layer: list[bool] = []
        self._done = 0
        self._position = -2

    def update(self, trace: Trace) -> None:
        """Take in the scopes that were opened since."""
        position = position_site(trace)
        sites, parents = trace.scope_site, trace.scope_parent
        start, self._done = self._done, len(sites)
        outer = [sites[p] if p >= 0 else -1 for p in parents[start:]]
        pairs = set(zip(sites[start:], outer, strict=True)) - self._pairs
        if pairs or position != self._position:
            self._position = position
            self._pairs |= pairs
            self._contains = self._learn(trace)
            self.generation += 1
            self.rank, self._in_layer = [], []
        self._assign(trace)

    def _learn(self, trace: Trace) -> dict[int, int]:
        """What each site contains, from the pairs (site, site around it)."""
        program = trace.program
        kinds = {site: program.site(site).kind for site, _ in self._pairs}
        own = {*program.episode_sites, self._position}
        contains = dict.fromkeys(kinds, 0)
        news = True
        while news:
            news = False
            for site, around in self._pairs:
                if around < 0:
                    continue
                flags = contains[site] | _CONTAINS.get(kinds[site], 0)
                if site == self._position:
                    flags |= _POSITION
                elif kinds[site] == SiteKind.ITERATION and contains[site] & _CALL and site not in own:
                    flags |= _LAYER
                if contains[around] | flags != contains[around]:
                    contains[around] |= flags
                    news = True
        return contains

    def _assign(self, trace: Trace) -> None:
        contains, rank, in_layer = self._contains, self.rank, self._in_layer
        parents, sites = trace.scope_parent, trace.scope_site
        program = trace.program
        roots = set(program.episode_sites)
        chain = _ancestors_of(trace, roots)
        kinds = {site: program.site(site).kind for site in set(sites[len(rank) :])}
        for scope in range(len(rank), self._done):
            site, parent = sites[scope], parents[scope]
            inside = in_layer[parent] if parent >= 0 else False
            value, inside = self._rank_of(scope, site, kinds[site], contains.get(site, 0), inside, chain)
            rank.append(value)
            in_layer.append(inside)

    def _rank_of(
        self, scope: int, site: int, kind: SiteKind, holds: int, inside: bool, chain: set[int]
    ) -> tuple[int, bool]:
        if scope in chain or kind == SiteKind.MODULE or holds & _POSITION:
            return 0, inside
        if site == self._position:
            return 1, inside
        if kind == SiteKind.ITERATION and holds & _CALL and not inside:
            return 2, True
        if holds & _LAYER and not inside:
            return 1, inside
        if kind == SiteKind.STATEMENT:
            if not holds & (_STATEMENT | _CALL | _ITERATION):
                return 4, inside
            return (3 if holds & _CALL and not holds & _ITERATION else 2), inside
        if kind in (SiteKind.CALL, SiteKind.ITERATION):
            return 3, inside
        return 5, inside


def _ancestors_of(trace: Trace, sites: set[int]) -> set[int]:
    """Scopes that are, or are around, an iteration of the loop over training steps or samples."""
    found: set[int] = set()
    own = trace.scope_site
    for scope, site in enumerate(own):
        if site in sites:
            found.update(trace.scope_path(scope))
            break  # an episode is one iteration
    return found


@growing
def ranks(trace: Trace) -> Ranks:
    """The ranks of a trace's scopes, up to date."""
    return Ranks()


class Closing:
    """Scope -> the scope that stands for it when the graph is folded at a level."""

    def __init__(self, level: int, opened: Mapping[int, int] | None = None) -> None:
        self.level = level
        self.opened = opened or {}
        """Scopes that are folded finer: scope -> the level for what is inside it."""
        self.scope: list[int] = []
        self._inside: list[int] = []
        """Per scope the level for what is inside it, 0 where that is folded away."""

    def update(self, trace: Trace) -> None:
        """Take in the scopes that were opened since."""
        rank, parents = ranks(trace).rank, trace.scope_parent
        result, inside, level, opened = self.scope, self._inside, self.level, self.opened
        for scope in range(len(result), len(rank)):
            parent = parents[scope]
            wanted = inside[parent] if parent >= 0 else level
            if wanted:
                wanted = opened.get(scope, wanted)
                result.append(scope)
                inside.append(wanted if rank[scope] < wanted else 0)
            else:
                result.append(result[parent])
                inside.append(0)


def closing(trace: Trace, level: int, opened: Mapping[int, int] | None = None) -> list[int]:
    """Scope -> the scope that stands for it at a level."""
    found = Closing(level, opened)
    found.update(trace)
    return found.scope


@derived
def families(trace: Trace) -> list[int]:
    """Scope -> a number that scopes of the same line, in the same loops and calls, have in common."""
    known: dict[tuple[int, int], int] = {}
    found: list[int] = []
    for parent, site in zip(trace.scope_parent, trace.scope_site, strict=True):
        found.append(known.setdefault((found[parent] if parent >= 0 else -1, site), len(known)))
    return found


def node_runs(trace: Trace, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The episode's nodes ``start`` .. ``end - 1`` as runs: (innermost scope around their birth, how many)."""
    starts, scopes, born = trace.span_start, trace.span_scope, trace.born
    span = bisect_right(starts, born[start]) - 1 if start < end else 0
    while start < end:
        after = starts[span + 1] if span + 1 < len(starts) else len(trace)
        stop = bisect_left(born, after, start, end)
        if stop > start:
            yield scopes[span], stop - start
        start, span = stop, span + 1


@derived
def node_scopes(trace: Trace, count: int) -> list[int]:
    """The innermost scope around the birth of each of the first ``count`` nodes of the episode."""
    return [scope for scope, times in node_runs(trace, 0, count) for _ in range(times)]
