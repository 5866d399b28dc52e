"""Where in the recording we are, and where we have been."""

from __future__ import annotations

from microgpt_tui.session.history import History
from microgpt_tui.session.moment import Moment, name_of
from microgpt_tui.trace.trace import Trace


class Cursor:
    """The moment that everything on screen is about."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.moment = Moment(0, -1)
        self.visited: list[Moment] = []
        """Moments that were jumped from, and those that ``visit`` has come back from."""
        self.visited_at = 0

    @property
    def trace(self) -> Trace | None:
        """The episode under the cursor."""
        return self.history.traces.get(self.moment.episode)

    @property
    def frontier(self) -> Moment | None:
        """The newest recorded event; None before the first."""
        episodes = self.history.recorded
        return Moment(episodes[-1], len(self.history.traces[episodes[-1]]) - 1) if episodes else None

    @property
    def at_frontier(self) -> bool:
        """True where the live script is: in an episode without an event, nowhere."""
        newest = self.history.newest
        return newest is not None and self.moment == Moment(newest.index, len(newest) - 1)

    def to_frontier(self) -> None:
        """Go to the newest event."""
        self.moment = self.frontier or self.moment

    def jump(self, moment: Moment) -> None:
        """Go to a recorded moment, remembered for ``visit(-1)``. Raises ValueError for one that is not recorded."""
        trace = self.history.traces.get(moment.episode)
        if trace is None or not 0 <= moment.event < len(trace):
            raise ValueError(f"not recorded: {name_of(self.history, moment)}")
        if moment != self.moment:
            self.visited[self.visited_at :] = [self.moment]
            self.visited_at = len(self.visited)
        self.moment = moment

    def visit(self, direction: int) -> bool:
        """Back (-1) or forward (+1) through the moments that were jumped to."""
        if direction < 0 and self.visited_at > 0:
            if self.visited_at == len(self.visited):
                self.visited.append(self.moment)
            self.visited_at -= 1
        elif direction > 0 and self.visited_at < len(self.visited) - 1:
            self.visited_at += 1
        else:
            return False
        self.moment = self.visited[self.visited_at]
        return True

    def skips(self, episode: int) -> bool:
        """True when episodes between this one and the cursor's were run freely."""
        first, last = sorted((self.moment.episode, episode))
        return any(i not in self.history.traces for i in range(first + 1, last))
