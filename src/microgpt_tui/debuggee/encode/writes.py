"""Writes of gradients and values into columns, with the running sums that the script has."""

from __future__ import annotations

from itertools import chain, compress, islice, repeat
from math import copysign
from operator import attrgetter, is_
from typing import Any

from microgpt_tui.debuggee.encode.columns import Columns, counting
from microgpt_tui.debuggee.encode.nodes import Nodes
from microgpt_tui.debuggee.encode.scopes import Scopes
from microgpt_tui.debuggee.encode.sums import Sums
from microgpt_tui.debuggee.record.identity import identity_of
from microgpt_tui.debuggee.record.kinds import NAN, SITE_ACCUMULATE
from microgpt_tui.debuggee.record.walk import doubles
from microgpt_tui.debuggee.rewrite.sites import SiteRecord
from microgpt_tui.protocol.codes import ACCUMULATE, ASSIGN, NO_NODE, NOTED_ASSIGN, UPDATE, ZERO
from microgpt_tui.protocol.gradients import as_double

NOTED = ("noted_row", "noted_target", "noted_source", "noted_value", "noted_factor", "noted_site", "noted_flags")


class Writes:
    """Fills the columns of contributions, assignments and updates."""

    def __init__(self, columns: Columns, sums: Sums, nodes: Nodes, scopes: Scopes, current: dict[int, float]) -> None:
        self.columns = columns
        self.sums = sums
        self.nodes = nodes
        self.scopes = scopes
        self.current = current
        """Data of the nodes that may be updated, as it is now."""
        self.giver: Any = None
        """The node whose gradient was handed to a function last."""
        self.put_update = [
            columns.c[name].append for name in ("updated", "old", "new", "update_site", "update_event", "used_start")
        ]

    def accumulate_run(self, log: list[Any], position: int, end: int) -> int:
        """A run of ``child.grad += local * v.grad``, and where it ends: the hottest loop of the encoder."""
        records, waiting = self.columns.records, position
        code, kinds = -1, 0
        while waiting < end:  # where the run ends
            entry = log[waiting]
            if type(entry) is not tuple:
                break
            if entry[0] != code:
                record = records[entry[0]]
                if record is None or record.kind is not SITE_ACCUMULATE:
                    break
                code = entry[0]
                kinds += 1
            waiting += 1
        run = log[position:waiting]
        if self.nodes.pending:
            self.nodes.flush()
        ids, node_class = self.nodes.ids, self.columns.node_class
        try:
            targets = [ids[identity_of(entry[1])] for entry in run]
        except KeyError:
            run = [entry for entry in run if isinstance(entry[1], node_class)]
            targets = [self.nodes.number_of(entry[1]) for entry in run]
        if not run:
            return waiting
        known, row = ids.get, self.sums.write_rows
        self.note_writes(
            targets,
            [
                self.handed_by(target) if entry[2] is None else known(identity_of(entry[2]), NO_NODE)
                for entry, target in zip(run, targets, strict=True)
            ],
            [entry[3] for entry in run],
            [NAN if entry[4] is None else entry[4] for entry in run],
            [entry[0] for entry in run],
        )
        self.note_negative_zeros(row, targets, run)
        return waiting

    def note_negative_zeros(self, row: int, targets: list[int], run: list[Any]) -> None:
        """First contributions of -0.0 to a grad that was None: added to 0 they would be 0.0."""
        for i, (target, entry) in enumerate(zip(targets, run, strict=True)):
            if len(entry) > 5 and entry[5] == 0 and copysign(1, entry[5]) < 0:
                if self.sums.exact_sums is None:
                    self.exact_after(row + i, entry[5])
                else:
                    self.columns.c["exact_after"][i - len(run)] = entry[5]
                    if target not in targets[i + 1 :]:
                        self.sums.exact_sums[target] = entry[5]

    def handed_by(self, target: int) -> int:
        """Who gives where the statement does not say: the node whose gradient was handed on, if this is its operand."""
        giver = self.nodes.ids.get(identity_of(self.giver), NO_NODE)
        row, starts = giver - self.columns.first_node, self.columns.c["child_start"]
        if row < 0 or row >= len(starts):
            return NO_NODE
        end = starts[row + 1] if row + 1 < len(starts) else len(self.columns.c["child"])
        return giver if target in self.columns.c["child"][starts[row] : end] else NO_NODE

    def note_writes(
        self, targets: list[int], sources: list[int], deltas: list[Any], factors: list[Any], sites: list[int],
        afters: list[Any] | None = None,
    ) -> None:  # fmt: skip
        """Contributions, one by one, become events; ``afters``: the sums, where they are added up already."""
        c, row = self.columns.c, self.sums.write_rows
        flags = self.sums.int_flags(deltas)
        self.write_events(len(targets))
        c["noted_row"].extend(counting(row, row + len(targets)))
        c["noted_target"].fromlist(targets)
        c["noted_source"].fromlist(sources)
        c["noted_value"].extend(doubles(deltas))
        c["noted_factor"].extend(doubles(factors))
        c["noted_site"].fromlist(sites)
        c["noted_flags"].frombytes(flags)
        if self.sums.exact_sums is not None:
            for i, after in enumerate(afters or self.added(targets, deltas)):
                self.exact_after(row + i, after)

    def added(self, targets: list[int], deltas: list[Any]) -> list[Any]:
        """The sums after each contribution."""
        sums, afters = self.sums.now(), []
        for target, delta in zip(targets, deltas, strict=True):
            sums[target] = sums[target] + delta
            afters.append(sums[target])
        return afters

    def exact_after(self, row: int, grad: Any) -> None:
        """What a grad was after a write, where that does not follow from numbers that are all doubles."""
        self.columns.c["exact_row"].append(row)
        self.columns.c["exact_after"].append(as_double(grad))
        self.columns.c["exact_int"].append(type(grad) is int)

    def write_events(self, count: int) -> None:
        """So many contributions, one event each."""
        self.scopes.event(ACCUMULATE)
        self.columns.c["kind"].frombytes(bytes((ACCUMULATE,)) * (count - 1))
        self.sums.write_rows += count

    def propagate_run(self, log: list[Any], position: int, end: int, loop: SiteRecord) -> int:
        """A run of nodes that give to their operands, and where it ends: only their order is recorded."""
        if self.nodes.pending:
            self.nodes.flush()
        node_class, waiting = self.columns.node_class, position
        while waiting < end and (type(log[waiting]) is node_class or isinstance(log[waiting], node_class)):
            waiting += 1
        nodes = log[position:waiting]
        if not self.record_order(nodes, loop):
            self.note_pass(nodes, loop)
        return max(waiting, position + 1)  # what is no node was to propagate, and failed

    def newest_source(self) -> int:
        """The node that the newest contribution came from, or -1."""
        noted = self.columns.c["noted_row"]
        single = len(noted) > 0 and noted[-1] == self.sums.write_rows - 1
        return int(self.columns.c["noted_source" if single else "order"][-1])

    def record_order(self, nodes: list[Any], loop: SiteRecord) -> bool:
        """Record that these propagate one after another; False where that does not tell what they give."""
        if (
            self.sums.exact_sums is not None
            or self.nodes.outside
            or loop.names != (self.nodes.children_name, self.nodes.locals_name)
        ):
            return False
        kept = list(map(attrgetter(loop.names[1]), nodes))
        try:
            order = list(compress(map(self.nodes.ids.__getitem__, map(identity_of, nodes)), kept))
        except KeyError:  # a node of an earlier episode
            return False
        c, first, count = self.columns.c, self.columns.first_node, sum(map(len, kept))
        if not order:
            return True
        if min(order) < first or not self.as_recorded([number - first for number in order], list(filter(None, kept))):
            return False
        row = self.sums.write_rows
        self.write_events(count)
        c["pass_row"].append(row)
        c["pass_start"].append(len(c["order"]))
        c["pass_site"].append(loop.statement)
        c["order"].fromlist(order)
        return True

    def as_recorded(self, rows: list[int], kept: list[Any]) -> bool:
        """Whether nodes still have the local gradients that they were recorded with."""
        known = list(map(self.nodes.kept_locals.__getitem__, rows))
        if all(map(is_, known, kept)) and set(map(type, kept)) == {tuple}:
            return True
        starts = [*map(self.columns.c["child_start"].__getitem__, rows)]
        return all(
            self.columns.c["local"][start : start + len(told)].tolist() == list(told)
            for start, told in zip(starts, kept, strict=True)
        ) and self.edge_counts(rows) == list(map(len, kept))

    def edge_counts(self, rows: list[int]) -> list[int]:
        starts, last = self.columns.c["child_start"], len(self.columns.c["child_start"]) - 1
        return [(starts[row + 1] if row < last else len(self.columns.c["child"])) - starts[row] for row in rows]

    def note_pass(self, nodes: list[Any], loop: SiteRecord) -> None:
        """What nodes give to their operands, one by one, computed as the script does it: local gradient × own grad.

        Where that raises, the script has raised as well: nothing has been given from there on.
        """
        targets, givers, factors = self.kept_edges(nodes, loop)
        if not targets:
            return
        sums = self.sums.be_exact() if self.sums.exact_sums is None else self.sums.now()
        deltas: list[Any] = []
        afters: list[Any] = []
        for target, factor, giver in zip(targets, factors, givers, strict=True):
            try:
                delta = factor * sums[giver]
                afters += self.added([target], [delta])
            except Exception:
                break
            deltas.append(delta)
        n = len(deltas)
        if n:
            self.note_writes(targets[:n], givers[:n], deltas, factors[:n], [loop.statement] * n, afters)

    def kept_edges(self, nodes: list[Any], loop: SiteRecord) -> tuple[list[int], list[int], list[Any]]:
        """(operand, giver, local gradient) of every contribution, as the nodes keep them."""
        children = list(map(attrgetter(loop.names[0]), nodes))
        factors = list(map(attrgetter(loop.names[1]), nodes))
        counts = list(map(len, children))
        if counts != list(map(len, factors)):  # the script's zip ends with the shorter one
            counts = list(map(min, counts, map(len, factors)))
            children = [tuple(islice(part, n)) for part, n in zip(children, counts, strict=True)]
            factors = [tuple(islice(part, n)) for part, n in zip(factors, counts, strict=True)]
        targets = list(map(self.nodes.number_of, chain.from_iterable(children)))
        givers = list(chain.from_iterable(map(repeat, map(self.nodes.number_of, nodes), counts)))
        return targets, givers, list(chain.from_iterable(factors))

    def target_of(self, owner: Any) -> int | None:
        """The number of the node that is written; None for what is no node."""
        if self.nodes.pending:
            self.nodes.flush()
        target = self.nodes.ids.get(identity_of(owner))
        return self.nodes.number_of(owner) if target is None and isinstance(owner, self.columns.node_class) else target

    def assign(self, code: int, owner: Any, value: Any) -> None:
        target = self.target_of(owner)
        if target is None:
            return
        c, row = self.columns.c, self.sums.write_rows
        value = 0 if value is None else value  # no gradient
        number = as_double(value)
        (flags,) = self.sums.int_flags((value,))
        self.scopes.event(ZERO if number == 0.0 else ASSIGN)
        self.sums.write_rows += 1
        for name, told in zip(NOTED, (row, target, NO_NODE, number, NAN, code, flags | NOTED_ASSIGN), strict=True):
            c[name].append(told)
        if self.sums.exact_sums is not None:
            self.sums.now()[target] = value
            self.exact_after(row, value)

    def before_update(self, owner: Any, value: Any) -> None:
        """What a node's data is before it is written first in its own episode: what it was made with."""
        number = self.nodes.number_of(owner)
        row = number - self.columns.first_node
        if number in self.current or row < 0 or type(value) not in (int, float):
            return
        self.current[number] = self.columns.c["data"][row] = float(value)

    def update(self, code: int, owner: Any, value: Any, used: tuple[Any, ...]) -> None:
        target = self.target_of(owner)
        if target is None:
            return
        c = self.columns.c
        old = self.current.get(target)
        if old is None:
            old = c["data"][target - self.columns.first_node] if target >= self.columns.first_node else NAN
        number = value if type(value) is float else self.columns.odd_number(target, value)
        self.current[target] = number
        put_target, put_old, put_new, put_site, put_event, put_start = self.put_update
        put_target(target)
        put_old(old)
        put_new(number)
        put_site(code)
        put_event(len(c["kind"]))
        put_start(len(c["used"]))
        c["used"].extend([x if type(x) is float or type(x) is int else NAN for x in used])
        self.scopes.event(UPDATE)
