"""The logs of finished episodes: how their memory is given back decides how fast the script runs.

A step's graph is a great many small objects. Let go as the script's last variable of it is bound anew, they
are freed along the graph, and the allocator gives their places out again in that scrambled order: the next
graph lies scattered in memory, and following it misses the cache. So
finished logs are held a little longer than the script holds their graphs, several are freed at once, and
from the newest node to the oldest: what is free then lies together and in order.
"""

from __future__ import annotations

import gc
from typing import Any

HELD_ENTRIES = 600_000
"""Entries of finished logs held at most: some steps of a small model, none of a large one."""
COLLECT_GROWTH = 200_000
"""Objects in excess, after logs were let go, from which on the cyclic collector is worth its time."""


class Finished:
    """Holds the logs of finished episodes, and frees them together."""

    def __init__(self) -> None:
        self.logs: list[list[Any]] = []
        self.entries = 0
        self.newest = 0
        """Entries of the log that was taken last."""
        self.usual: int | None = None
        """Objects alive after the logs were let go, when there was no garbage yet."""
        self.growth = COLLECT_GROWTH

    def take(self, log: list[Any]) -> None:
        """Take over what is in a log, and empty it."""
        self.newest = len(log)
        if self.entries + len(log) > HELD_ENTRIES:
            self.release()
        if len(log) <= HELD_ENTRIES:  # of a big model none is held
            self.logs.append(log[:])
            self.entries += len(log)
        log.clear()

    def release(self, keep: int = 0) -> None:
        """Free the logs held but for the newest ones, the last entry first (as ``list.clear`` goes).

        Then look for cyclic garbage.
        """
        kept = self.logs[len(self.logs) - keep :]
        del self.logs[len(self.logs) - keep :]
        for log in kept:
            log[:] = [entry for entry in log if type(entry) is not tuple]  # nodes, in order; notes are no graph's
        while self.logs:
            self.logs.pop().clear()
        self.logs = kept
        self.entries = sum(map(len, kept))
        alive = gc.get_count()[0]
        if self.usual is None:
            self.usual = alive
        elif alive > self.usual + self.growth:
            found = gc.collect()
            self.usual = gc.get_count()[0]
            # A script that keeps its graphs on purpose grows as well: there looking again soon is in vain.
            self.growth = COLLECT_GROWTH if 2 * found > self.growth else 2 * self.growth
