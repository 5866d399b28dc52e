"""Finds positions, distributions, targets and draws in an episode, by structure."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import replace
from functools import cached_property
from itertools import groupby, pairwise

from microgpt_tui.protocol.codes import BindKind
from microgpt_tui.recognise.attention import recogniser
from microgpt_tui.recognise.dots import sum_end
from microgpt_tui.recognise.operations import Role, graph_of
from microgpt_tui.recognise.origins import origins
from microgpt_tui.recognise.parameters import Read, reads
from microgpt_tui.recognise.predictions import Distribution, Draw, Position
from microgpt_tui.recognise.softmax import SoftmaxRow
from microgpt_tui.recognise.vocabulary import vocabulary
from microgpt_tui.trace.trace import Trace
from microgpt_tui.trace.variables import bound_name


class Finder:
    """Looks through one episode for its vocabulary, positions and distributions."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.graph = graph_of(trace)
        self.reads = reads(trace)
        self.fused = self._fused()
        self._newest = trace.end_node - 1

    # -- vocabulary size -------------------------------------------------------------------

    def vocabulary_size(self, rows: list[SoftmaxRow]) -> int:
        """The length of the vectors that a loss or a draw is taken from; else of the token embedding."""
        trace = self.trace
        sizes: Counter[int] = Counter()
        for row in rows:
            if self._target(row)[0] >= 0:
                sizes[len(row.exps)] += 1
        sizes.update(n for row, n in enumerate(trace.sample_count) if n > 1 and not self._is_part(row))
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

    def _is_part(self, row: int) -> bool:
        """A draw from a list of some tokens (the likeliest), not from all."""
        listed = self.trace.populations[row] if row < len(self.trace.populations) else None
        whole = range(self.trace.sample_count[row])
        return listed is not None and all(type(t) is int for t in listed) and set(listed) != set(whole)

    # -- positions -------------------------------------------------------------------------

    def positions(self, size: int, rows: list[SoftmaxRow]) -> list[Position]:
        """The token embeddings that were read, in order, each once: a residual connection reads its row again.

        ``rows`` are the distributions' softmaxes.
        Where nothing tells positions apart (no attention, no positions' matrix), what is read for one distribution is
        one context (the last letters, say): its last token stands for it.
        """
        trace = self.trace
        matrices = trace.program.matrices
        token_matrix = self._token_matrix(size)
        if token_matrix < 0:
            return []
        embedded = self.reads.embedded
        place_of = {r.node: r.row for r in embedded if r.matrix != token_matrix and matrices[r.matrix].shape[0] > 1}
        known, marks = origins(trace), recogniser(trace).marks()
        keys = [mark for mark, _, _ in marks]
        if not marks and not place_of and (contexts := self._contexts(token_matrix, rows)):
            return contexts
        found: dict[tuple[int, int], Position] = {}
        sequence, position, newest = 0, -1, -1
        for read in embedded:
            if read.matrix != token_matrix:
                continue
            at = bisect_left(keys, known.of(read.node))
            if at < len(marks):
                sequence, position = marks[at][1:]
            else:
                own, place = known.of(read.node), place_of.get(read.node)
                if place is None and own == newest and not trace.is_parameter(own) and own != read.node:
                    continue  # a residual connection
                if place is not None and place <= position:
                    sequence += 1
                position = place if place is not None else position + 1
            newest = max(newest, known.of(read.node))
            found.setdefault((sequence, position), Position(sequence, position, read.row, read.node))
        return list(found.values())

    def _contexts(self, token_matrix: int, rows: list[SoftmaxRow]) -> list[Position]:
        """One position per distribution that several rows are read for; empty where it is one row everywhere."""
        own = [r for r in self.reads.embedded if r.matrix == token_matrix]
        ends = [row.first for row in rows]
        found, several = [], False
        for position, (_, run) in enumerate(groupby(own, lambda read: bisect_left(ends, read.node))):
            context = list(run)
            tokens = list(dict.fromkeys(read.row for read in context))
            several = several or len(tokens) > 1
            found.append(Position(0, position, tokens[-1], context[0].node))
        return found if several else []

    def _token_matrix(self, size: int) -> int:
        matrices = self.trace.program.matrices
        counts = Counter(r.matrix for r in self.reads.embedded if matrices[r.matrix].shape[0] == size)
        if len(counts) > 1:
            for matrix in counts:
                rows = [r.row for r in self.reads.embedded if r.matrix == matrix]
                if rows[: len(set(rows))] != list(range(len(set(rows)))):
                    return matrix
        return min(counts) if counts else -1

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
            if (draw is None or draw.token < 0) and place is not None:
                draw = self._chosen(positions, place, d, draw, begins[i], begins[i + 1])
            where = (place.sequence, place.position, place.token) if place else (0, i, -1)
            result.append(replace(d, sequence=where[0], position=where[1], token=where[2], draw=draw))
        return result

    def _of_softmax(self, row: SoftmaxRow) -> Distribution:
        target, loss = self._target(row)
        raw = tuple(self._unscaled(row.logits))
        sign = -1 if loss >= 0 and self._is_log(row, target, loss) else 1
        first = min(row.exps[0], *row.logits)
        return Distribution(raw, row.logits, row.weights, target, loss, first, row.last, loss_sign=sign)

    def _is_log(self, row: SoftmaxRow, target: int, loss: int) -> bool:
        """True where the script never makes -log p of one position: it turns the sign of a sum of them."""
        data = self.graph.data
        total = data(row.total) if row.total >= 0 else data(row.exps[target]) / (data(row.weights[target]) or 1.0)
        share = data(row.exps[target]) / total if total else 0.0
        expected = math.log(share) if share > 0 else -math.inf
        return abs(data(loss) - expected) < abs(data(loss) + expected)

    def _target(self, row: SoftmaxRow) -> tuple[int, int]:
        """(target, loss node) of a softmax: the token whose logarithm of the probability is used further, and most.

        (-1, -1) where none is. Several are used where labels are smoothed.
        """
        found: dict[int, int] = {}
        uses: dict[int, tuple[float, int]] = {}
        for token, log in (*row.logs, *self._logs_of(row)):
            users = [u for u in self.graph.users(log) if u not in row.weights and not self._is_nothing(u)]
            if users or log == self._newest:
                found[token], uses[token] = log, (self._share(log), len(users))
        if not found:
            return -1, -1
        most = max(uses.values())
        targets = [token for token in found if uses[token] == most]
        return (targets[0], self._negated(found[targets[0]])) if len(targets) == 1 else (-1, -1)

    def _logs_of(self, row: SoftmaxRow) -> list[tuple[int, int]]:
        """(token, log of its weight): also of a weight with a small number added, and of the inverse of a weight."""
        graph = self.graph
        found = []
        for token, weight in enumerate(row.weights):
            for user in graph.users(weight):
                if graph.role(user) is Role.LOG:
                    found.append((token, user))
                elif graph.role(user) in (Role.ADD, Role.RECIPROCAL, Role.POWER, Role.DIVIDE) and all(
                    int(c) == weight or graph.is_constant(int(c), 0) for c in graph.children(user)
                ):
                    found += [(token, u) for u in graph.users(user) if graph.role(u) is Role.LOG]
        if not found and row.total >= 0:
            for token, exp in enumerate(row.exps):
                ratios = (u for u in graph.users(exp) if graph.role(u) is Role.DIVIDE and u not in row.weights)
                found += [(token, u) for r in ratios for u in graph.users(r) if graph.role(u) is Role.LOG]
        return found

    def _is_nothing(self, node: int) -> bool:
        """True for a product with a plain 0: a one-hot label's other tokens."""
        graph = self.graph
        return graph.role(node) is Role.MULTIPLY and any(
            graph.is_constant(int(c), 0) and graph.data(int(c)) == 0 for c in graph.children(node)
        )

    def _share(self, log: int) -> float:
        """How much of the loss is made of a logarithm: the plain number that it is multiplied by, if any."""
        graph = self.graph
        return sum(
            abs(graph.data(user) / graph.data(log)) if graph.data(log) and graph.role(user) is Role.MULTIPLY else 1.0
            for user in graph.users(log)
        )

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

    def _chosen(
        self, positions: tuple[Position, ...], place: Position, d: Distribution, draw: Draw | None, begin: int, end: int
    ) -> Draw | None:
        """A choice that is no known draw: the token that went in next; of the last one, what the same variable got."""
        token = _token_after(positions, place)
        if token >= 0:
            return replace(draw, token=token) if draw is not None else None
        if d.target >= 0:
            return draw
        names = self._choosing_names(positions)
        bound = [
            (event, value) for event, name, value in self._integers
            if begin < event <= end and name in names and 0 <= value < len(d.logits)
        ]  # fmt: skip
        if not bound:
            return draw
        event, value = bound[-1]
        event = max(0, min(event, len(self.trace)) - 1)
        return replace(draw, token=value) if draw is not None else Draw(event, math.nan, value, ())

    @cached_property
    def _integers(self) -> list[tuple[int, str, int]]:
        """(event, name, value) of the whole numbers that variables were given."""
        trace = self.trace
        return [
            (trace.bind_event[row], bound_name(trace, row), int(trace.bound_numbers[trace.bind_start[row]]))
            for row, kind in enumerate(trace.bind_kind)
            if kind == BindKind.INTEGER and math.isfinite(trace.bound_numbers[trace.bind_start[row]])
        ]

    def _choosing_names(self, positions: tuple[Position, ...]) -> set[str]:
        """Variables that had each token that went in, before it did, all through the sequences."""
        names: set[str] | None = None
        for before, after in pairwise(_sequences(positions)):
            if [p.token for p in before] == [p.token for p in after[:-1]]:  # whole passes over a growing text
                names = self._named(names, before[-1], after[0], after[-1].token)
        if names is None:
            for one, two in pairwise(positions):
                if (one.sequence, one.position + 1) == (two.sequence, two.position):
                    names = self._named(names, one, two, two.token)
        return names or set()

    def _named(self, names: set[str] | None, one: Position, two: Position, token: int) -> set[str]:
        """Which of the names (None: any) had a token, as the last whole number, between two embeddings."""
        last: dict[str, int] = {}
        begin, end = self.trace.born_at(one.node), self.trace.born_at(two.node)
        for event, name, value in self._integers:
            if begin < event <= end:
                last[name] = value
        own = {name for name, value in last.items() if value == token}
        return own if names is None else names & own

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
            matching = [
                t for t, v in enumerate(values) if math.isclose(whole - v, trace.data[i], abs_tol=self.graph.close)
            ]
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


def _sequences(positions: tuple[Position, ...]) -> list[list[Position]]:
    found: dict[int, list[Position]] = {}
    for p in positions:
        found.setdefault(p.sequence, []).append(p)
    return list(found.values())


def _token_after(positions: tuple[Position, ...], place: Position) -> int:
    """The token that went in at the next position of the same sequence, or -1."""
    wanted = (place.sequence, place.position + 1)
    return next((p.token for p in positions if (p.sequence, p.position) == wanted), -1)
