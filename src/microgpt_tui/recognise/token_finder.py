"""Finds positions, distributions, targets and draws in an episode, by structure."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from dataclasses import replace
from itertools import groupby

from microgpt_tui.recognise.attention import attention
from microgpt_tui.recognise.dots import sum_end
from microgpt_tui.recognise.operations import Role, graph_of
from microgpt_tui.recognise.parameters import Read, reads
from microgpt_tui.recognise.predictions import Distribution, Draw, Position
from microgpt_tui.recognise.softmax import SoftmaxRow
from microgpt_tui.recognise.vocabulary import vocabulary
from microgpt_tui.trace.trace import Trace


class Finder:
    """Looks through one episode for its vocabulary, positions and distributions."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.graph = graph_of(trace)
        self.reads = reads(trace)
        self.fused = self._fused()

    # -- vocabulary size -------------------------------------------------------------------

    def vocabulary_size(self, rows: list[SoftmaxRow]) -> int:
        """The length of the vectors that a loss or a draw is taken from; else of the token embedding."""
        trace = self.trace
        sizes: Counter[int] = Counter()
        for row in rows:
            if self._target(row)[0] >= 0:
                sizes[len(row.exps)] += 1
        sizes.update(n for n in trace.sample_count if n > 1)
        sizes.update(len(children) for _, children, _ in self.fused)
        heights = {trace.program.matrices[r.matrix].shape[0] for r in self.reads.embedded}
        for size, _ in sizes.most_common():
            if size in heights:
                return size
        if sizes:
            return sizes.most_common(1)[0][0]
        lengths = [len(row.exps) for row in rows if len(row.exps) in heights]
        if lengths:
            return max(lengths)
        multiplied = {trace.program.matrices[r.matrix].shape[0] for r in self.reads.multiplied}
        both = heights & multiplied
        known = [h for h in both if vocabulary(trace.program, h).source]
        return max(known or both or heights or {0})

    # -- positions -------------------------------------------------------------------------

    def positions(self, size: int) -> list[Position]:
        """The token embeddings that were read, in order; position embeddings have another number of rows."""
        trace = self.trace
        matrices = trace.program.matrices
        embedded = self.reads.embedded
        token_matrix = self._token_matrix(size)
        if token_matrix < 0:
            return []
        places = [r for r in embedded if r.matrix != token_matrix and matrices[r.matrix].shape[0] > 1]
        place_of = {r.node: r.row for r in places}
        starts = self._sequence_starts()
        found: list[Position] = []
        sequence, position, owner = 0, -1, -2
        for read in embedded:
            if read.matrix != token_matrix:
                continue
            place = place_of.get(read.node)
            own = bisect_right(starts, read.node) if starts else 0
            if place is not None:
                new = place <= position
                position = place
            else:
                new = bool(starts) and own != owner and owner != -2
                position = 0 if new else position + 1
            if new and found:
                sequence += 1
            owner = own
            found.append(Position(sequence, position, read.row, read.node))
        return found

    def _token_matrix(self, size: int) -> int:
        matrices = self.trace.program.matrices
        counts = Counter(r.matrix for r in self.reads.embedded if matrices[r.matrix].shape[0] == size)
        if len(counts) > 1:
            for matrix in counts:
                rows = [r.row for r in self.reads.embedded if r.matrix == matrix]
                if rows[: len(set(rows))] != list(range(len(set(rows)))):
                    return matrix
        return min(counts) if counts else -1

    def _sequence_starts(self) -> list[int]:
        """Where there are no position embeddings: attention begins anew, or a loop over documents does."""
        found = attention(self.trace)
        if found.sequences:
            return sorted(births[0] for births in found.births.values())[1:]
        return []

    # -- distributions ---------------------------------------------------------------------

    def distributions(self, rows: list[SoftmaxRow], positions: tuple[Position, ...], size: int) -> list[Distribution]:
        """The predictions, oldest first: from softmaxes, else from fused losses, else from bare logits."""
        found = [self._of_softmax(row) for row in rows]
        if not rows:
            found = [
                Distribution(children, children, (), target, node, min(children), node)
                for node, children, target in self.fused if len(children) == size
            ]  # fmt: skip
        if not found and size:
            found = [Distribution(g, g, (), -1, -1, min(g), max(g)) for g in self._logit_groups(size)]
        found.sort(key=lambda d: d.first)
        draws = self._draws(size)
        begins = [*(self.trace.born_at(d.first) for d in found), len(self.trace)]
        result = []
        for i, (d, place) in enumerate(zip(found, _places(found, positions), strict=True)):
            draw = next((x for x in draws if begins[i] <= x.event < begins[i + 1]), None)
            if draw is not None and draw.token < 0 and place is not None:
                draw = replace(draw, token=_token_after(positions, place))
            where = (place.sequence, place.position, place.token) if place else (0, i, -1)
            result.append(replace(d, sequence=where[0], position=where[1], token=where[2], draw=draw))
        return result

    def _of_softmax(self, row: SoftmaxRow) -> Distribution:
        target, loss = self._target(row)
        raw = tuple(self._unscaled(row.logits))
        return Distribution(raw, row.logits, row.weights, target, loss, min(row.exps[0], *row.logits), row.last)

    def _target(self, row: SoftmaxRow) -> tuple[int, int]:
        """(target, loss node) of a softmax whose probability goes into a logarithm; (-1, -1) if none does."""
        graph = self.graph
        if row.log >= 0:
            return self._target_of_log(row)
        for i, weight in enumerate(row.weights):
            for user in graph.users(weight):
                if graph.role(user) is Role.LOG:
                    return i, self._negated(user)
        return -1, -1

    def _target_of_log(self, row: SoftmaxRow) -> tuple[int, int]:
        """log-sum-exp minus the target's logit (shifted or not), up to two additions away."""
        graph = self.graph
        shifted = {int(graph.children(e)[0]): i for i, e in enumerate(row.exps)}
        plain = {logit: i for i, logit in enumerate(row.logits)}
        level = [row.log]
        for _ in range(3):
            following = []
            for node in level:
                for user in graph.users(node):
                    if graph.role(user) not in (Role.ADD, Role.SUBTRACT):
                        continue
                    following.append(user)
                    for child in graph.children(user):
                        inner = int(child)
                        if graph.role(inner) in (Role.NEGATE, Role.MULTIPLY) and inner not in plain:
                            inner = next((int(c) for c in graph.children(inner) if c in plain or c in shifted), inner)
                        token = shifted.get(inner, plain.get(inner, -1))
                        if token >= 0:
                            return token, user
            level = following
        return -1, -1

    def _negated(self, log: int) -> int:
        graph = self.graph
        for user in graph.users(log):
            if graph.role(user) in (Role.NEGATE, Role.MULTIPLY) and graph.data(user) == -graph.data(log):
                return user
        return log

    def _unscaled(self, logits: tuple[int, ...]) -> list[int]:
        """The logits before a temperature: below one multiplication by a plain number that all share."""
        graph = self.graph
        inner = []
        for logit in logits:
            if graph.role(logit) not in (Role.MULTIPLY, Role.DIVIDE):
                return list(logits)
            varying = [int(c) for c in graph.children(logit) if not graph.is_constant(c)]
            if len(varying) != 1 or graph.is_parameter(varying[0]):
                return list(logits)
            inner.append(varying[0])
        return inner

    def _draws(self, size: int) -> list[Draw]:
        trace = self.trace
        found = []
        for row, event in enumerate(trace.sample_event):
            count = trace.sample_count[row]
            start = trace.weight_start[row]
            choice = trace.choice[row]
            listed = trace.populations[row] if row < len(trace.populations) else None
            if count and listed is None and count != size:
                continue
            if listed is not None and choice >= 0:
                choice = listed[choice] if type(listed[choice]) is int else choice
            weights = tuple(trace.weight[start : start + count])
            found.append(Draw(event, trace.draw[row], choice, weights))
        return found

    def _fused(self) -> list[tuple[int, tuple[int, ...], int]]:
        """Nodes with many operands whose value is log-sum-exp minus one of them: (node, logits, target)."""
        trace = self.trace
        found = []
        starts = trace.child_start
        wide = [i for i in range(len(starts) - 1) if starts[i + 1] - starts[i] > 4] if self._has_other() else []
        for i in wide:
            node = trace.first_node + i
            logits = tuple(int(c) for c in trace.children(node))
            values = [self.graph.data(c) for c in logits]
            top = max(values)
            whole = top + math.log(sum(math.exp(v - top) for v in values))
            matching = [t for t, v in enumerate(values) if math.isclose(whole - v, trace.data[i], abs_tol=1e-9)]
            if len(matching) == 1:
                found.append((node, logits, matching[0]))
        return found

    def _has_other(self) -> bool:
        return any(role is Role.OTHER for role in self.graph.roles)

    def _logit_groups(self, size: int) -> list[tuple[int, ...]]:
        """Results of the last matrix of ``size`` rows, per position: logits that nothing is made of."""
        groups: list[tuple[int, ...]] = []
        run: list[Read] = []
        for read in self.reads.multiplied:
            if self.trace.program.matrices[read.matrix].shape[0] != size:
                continue
            if read.row == 0:
                run = []
            if read.row == len(run):
                run.append(read)
            if len(run) == size:
                groups.append(tuple(sum_end(self.graph, r.node) for r in run))
                run = []
        return groups


def _places(found: list[Distribution], positions: tuple[Position, ...]) -> list[Position | None]:
    """Which token each distribution follows: the newest one read, or in a forward pass of whole sequences by order."""
    if not positions:
        return [None] * len(found)
    nodes = [p.node for p in positions]
    result: list[Position | None] = []
    for newest, run in groupby(bisect_right(nodes, d.first) - 1 for d in found):
        count = len(list(run))
        result += [positions[i] if 0 <= i < len(positions) else None for i in range(newest - count + 1, newest + 1)]
    return result


def _token_after(positions: tuple[Position, ...], place: Position) -> int:
    """The token that went in at the next position of the same sequence, or -1."""
    wanted = (place.sequence, place.position + 1)
    return next((p.token for p in positions if (p.sequence, p.position) == wanted), -1)
