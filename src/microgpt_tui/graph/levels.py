"""Fold levels: which scopes of the running program stand for a position, a layer, a block, a statement.

The hierarchy is the script's own. A *position* is an iteration of the loop over tokens; a *layer* is the
outermost loop iteration inside it that calls functions; a *block* is any other call, loop iteration, or
statement that makes a call; a *statement* is a statement that does not. Every scope gets a
rank; a fold at a level closes the outermost scope of at least that rank on each node's path, so
that a finer level always divides the groups of a coarser one and never joins them.
"""

from __future__ import annotations

from bisect import bisect_left
from enum import IntEnum
from itertools import repeat

from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.trace.navigation import position_site
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

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.rank: list[int] = []
        self.generation = 0
        self._pairs: set[tuple[int, int]] = set()
        self._contains: dict[int, int] = {}
        self._in_layer: list[bool] = []
        self._done = 0
        self._position = -2

    def update(self) -> None:
        """Take in the scopes that were opened since."""
        trace = self.trace
        position = position_site(trace)
        sites, parents = trace.scope_site, trace.scope_parent
        start, self._done = self._done, len(sites)
        outer = [sites[p] if p >= 0 else -1 for p in parents[start:]]
        pairs = set(zip(sites[start:], outer, strict=True)) - self._pairs
        if pairs or position != self._position:
            self._position = position
            self._pairs |= pairs
            self._contains = self._learn()
            self.generation += 1
            self.rank, self._in_layer = [], []
        self._assign()

    def _learn(self) -> dict[int, int]:
        """What each site contains, from the pairs (site, site around it)."""
        program = self.trace.program
        kinds = {site: program.site(site).kind for site, _ in self._pairs}
        own = {program.train_site, program.sample_site, self._position}
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

    def _assign(self) -> None:
        trace, contains, rank, in_layer = self.trace, self._contains, self.rank, self._in_layer
        parents, sites = trace.scope_parent, trace.scope_site
        program = trace.program
        roots = {program.train_site, program.sample_site}
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


def ranks(trace: Trace) -> Ranks:
    """The ranks of a trace's scopes, up to date."""
    found: Ranks | None = trace.__dict__.get("_graph_ranks")
    if found is None:
        found = trace.__dict__["_graph_ranks"] = Ranks(trace)
    found.update()
    return found


def closing(trace: Trace, level: int, opened: dict[int, int] | None = None) -> list[int]:
    """Scope -> the scope that stands for it when the graph is folded at a level.

    ``opened`` folds some scopes finer: scope -> the level for what is inside it.
    """
    rank = ranks(trace).rank
    parents = trace.scope_parent
    result: list[int] = []
    closed: list[bool] = []
    if not opened:
        for scope, value in enumerate(rank):
            parent = parents[scope]
            if parent >= 0 and closed[parent]:
                result.append(result[parent])
                closed.append(True)
            else:
                result.append(scope)
                closed.append(value >= level)
        return result
    levels: list[int] = []
    for scope, value in enumerate(rank):
        parent = parents[scope]
        wanted = opened.get(scope, levels[parent] if parent >= 0 else level)
        levels.append(wanted)
        if parent >= 0 and closed[parent]:
            result.append(result[parent])
            closed.append(True)
        else:
            result.append(scope)
            closed.append(value >= wanted)
    return result


def node_scopes(trace: Trace, count: int) -> list[int]:
    """The innermost scope around the birth of each of the first ``count`` nodes of the episode."""
    starts, scopes = trace.span_start, trace.span_scope
    result: list[int] = []
    extend = result.extend
    born = trace.born
    at = 0
    for i, scope in enumerate(scopes):
        if at >= count:
            break
        end_event = starts[i + 1] if i + 1 < len(starts) else len(trace)
        end = bisect_left(born, end_event, at, count)
        if end > at:
            extend(repeat(scope, end - at))
            at = end
    return result
