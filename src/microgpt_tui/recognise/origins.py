"""Where a node's position is from: the newest node under it that was made from parameters alone.

Each position begins with such nodes (an embedding's row, added to or multiplied), and everything later that is of that
position, or of a later one that looks at it, is made from them. So keys made anew for every query (rotations, latent
keys) are told to be of one position all the same.
"""

from __future__ import annotations

from array import array

from microgpt_tui.recognise.operations import Graph, graph_of
from microgpt_tui.trace.derived import growing
from microgpt_tui.trace.trace import Trace


class Origins:
    """The origin of every node of an episode; follows a growing trace."""

    def __init__(self, trace: Trace) -> None:
        self.graph: Graph = graph_of(trace)
        self.first = trace.first_node
        self._newest = array("q")

    def update(self, trace: Trace) -> None:
        """Take in what is new."""
        newest, first, starts, child = self._newest, trace.first_node, trace.child_start, trace.child
        begin, end = len(newest), graph_of(trace).done
        if end <= begin:
            return
        last = starts[end] if end < len(starts) else len(child)
        bounds = [*starts[begin + 1 : end], last]
        edges = iter(child[starts[begin] : last])
        at = starts[begin]
        for row, bound in enumerate(bounds, begin):
            origin, parameters = -1, False
            while at < bound:
                at += 1
                node = next(edges)
                if node < first:
                    parameters = True
                elif node - first < row:  # an operand that was put in later, by an operation in place, is none here
                    below = newest[node - first]
                    if below > origin:
                        origin = below
            newest.append(first + row if origin < 0 and parameters else origin)

    def of(self, node: int) -> int:
        """The origin of a node; -1 for a parameter, and for what is made from plain numbers only."""
        place = node - self.first
        return self._newest[place] if 0 <= place < len(self._newest) else -1


@growing
def origins(trace: Trace) -> Origins:
    """The origins of the episode's nodes so far."""
    return Origins(trace)
