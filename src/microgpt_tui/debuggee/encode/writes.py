"""Writes of gradients and values into columns, with the running sums that the script has."""

from __future__ import annotations

from array import array
from itertools import chain, islice, repeat
from operator import attrgetter, sub
from typing import Any

from microgpt_tui.debuggee.encode.columns import counting
from microgpt_tui.debuggee.encode.scopes import Scopes
from microgpt_tui.debuggee.record.kinds import NAN, SITE_ACCUMULATE
from microgpt_tui.debuggee.record.walk import doubles
from microgpt_tui.debuggee.rewrite.sites import SiteRecord
from microgpt_tui.protocol.codes import ACCUMULATE, ASSIGN, NO_NODE, UPDATE, ZERO


class Writes(Scopes):
    """Fills the columns of contributions, assignments and updates."""

    def accumulate_run(self, log: list[Any], position: int, end: int) -> int:
        """A run of ``child.grad += local * v.grad``, and where it ends: the hottest loop of the encoder."""
        records, waiting = self.records, position
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
        if self.fresh:
            self.settle()
        ids, node_class = self.ids, self.node_class
        try:
            targets = [ids[id(entry[1])] for entry in run]
        except KeyError:
            run = [entry for entry in run if isinstance(entry[1], node_class)]
            targets = [self.number_of(entry[1]) for entry in run]
        if not run:
            return waiting
        known = ids.get
        self.write_grads(
            targets,
            [known(id(entry[2]), NO_NODE) for entry in run],
            [entry[3] for entry in run],
            [NAN if entry[4] is None else entry[4] for entry in run],
            array("i", (code,)) * len(run) if kinds == 1 else array("i", [entry[0] for entry in run]),
        )
        return waiting

    def write_grads(
        self, targets: list[int], sources: list[int], deltas: list[Any], factors: list[Any], sites: array[int]
    ) -> None:
        """A run of contributions: the running sums are added up as the script does it, one after another."""
        sums = self.sums()
        afters: list[Any] = []
        add = afters.append
        for target, delta in zip(targets, deltas, strict=True):
            after = sums[target] = sums[target] + delta
            add(after)
        self.write_rows(targets, sources, deltas, factors, afters, sites)

    def write_rows(
        self,
        targets: list[int],
        sources: list[int],
        deltas: list[Any],
        factors: list[Any],
        afters: list[Any],
        sites: array[int],
    ) -> None:
        """Contributions and the sums after them become events."""
        c = self.c
        count, row, event = len(targets), len(c["target"]), self.events
        self.event(ACCUMULATE, row)
        c["kind"].frombytes(bytes((ACCUMULATE,)) * (count - 1))
        c["row"].extend(counting(row + 1, row + count))
        c["target"].fromlist(targets)
        c["source"].fromlist(sources)
        c["delta"].extend(doubles(deltas))
        c["factor"].extend(doubles(factors))
        if set(map(type, afters)) != {float}:
            afters = [
                after if type(after) is float else self.odd_after(row + i, after) for i, after in enumerate(afters)
            ]
        c["after"].fromlist(afters)
        c["write_site"].extend(sites)
        c["write_event"].extend(counting(event, event + count))

    def propagate_run(self, log: list[Any], position: int, end: int, loop: SiteRecord) -> int:
        """A run of nodes that hand their gradients to their operands, and where it ends.

        What each propagates is computed as the script does it: local gradient × its own grad.
        """
        if self.fresh:
            self.settle()
        node_class, waiting = self.node_class, position
        while waiting < end and (type(log[waiting]) is node_class or isinstance(log[waiting], node_class)):
            waiting += 1
        nodes = log[position:waiting]
        known = loop.names == (self.children_name, self.locals_name) and not self.outside
        edges = self.recorded_edges(nodes, loop) if known else None
        targets, givers, factors = edges or self.kept_edges(nodes, loop)
        sums = self.sums()
        deltas: list[Any] = []
        afters: list[Any] = []
        add_delta, add_after = deltas.append, afters.append
        for target, factor, giver in zip(targets, factors, givers, strict=True):
            delta = factor * sums[giver]
            after = sums[target] = sums[target] + delta
            add_delta(delta)
            add_after(after)
        if targets:
            self.write_rows(targets, givers, deltas, factors, afters, array("i", (loop.statement,)) * len(targets))
        return max(waiting, position + 1)  # what is no node was to propagate, and failed

    def kept_edges(self, nodes: list[Any], loop: SiteRecord) -> tuple[list[int], list[int], list[Any]]:
        """(operand, giver, local gradient) of every contribution, as the nodes keep them."""
        children = list(map(attrgetter(loop.names[0]), nodes))
        factors = list(map(attrgetter(loop.names[1]), nodes))
        counts = list(map(len, children))
        if counts != list(map(len, factors)):  # the script's zip ends with the shorter one
            counts = list(map(min, counts, map(len, factors)))
            children = [tuple(islice(part, n)) for part, n in zip(children, counts, strict=True)]
            factors = [tuple(islice(part, n)) for part, n in zip(factors, counts, strict=True)]
        targets = list(map(self.number_of, chain.from_iterable(children)))
        givers = list(chain.from_iterable(map(repeat, map(self.number_of, nodes), counts)))
        return targets, givers, list(chain.from_iterable(factors))

    def recorded_edges(self, nodes: list[Any], loop: SiteRecord) -> tuple[list[int], list[int], list[Any]] | None:
        """The same from the columns, which know the operands' numbers already; None where not all of them."""
        c, first = self.c, self.first_node
        try:
            inner = [number for number in map(self.ids.__getitem__, map(id, nodes)) if number >= first]
        except KeyError:  # a node of an earlier episode
            return None
        starts, child = c["child_start"], c["child"]
        rows = [number - first for number in inner]
        starts.append(len(child))  # where the last node's operands end
        begins, ends = list(map(starts.__getitem__, rows)), [starts[row + 1] for row in rows]
        starts.pop()
        targets = list(chain.from_iterable(map(child.__getitem__, map(slice, begins, ends))))
        givers = list(chain.from_iterable(map(repeat, inner, map(sub, ends, begins))))
        factors = list(chain.from_iterable(map(attrgetter(loop.names[1]), nodes)))
        return (targets, givers, factors) if len(factors) == len(targets) else None  # the setup's nodes may have some

    def odd_after(self, row: int, value: Any) -> float:
        if type(value) is int:
            self.c["int_after"].append(row)
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            return NAN

    def target_of(self, owner: Any) -> int | None:
        """The number of the node that is written; None for what is no node."""
        if self.fresh:
            self.settle()
        target = self.ids.get(id(owner))
        return self.number_of(owner) if target is None and isinstance(owner, self.node_class) else target

    def assign(self, code: int, owner: Any, value: Any) -> None:
        target = self.target_of(owner)
        if target is None:
            return
        c = self.c
        row = len(c["target"])
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = NAN
        is_zero = number == 0.0
        put_target, put_source, put_delta, put_factor, put_site, put_event = self.put_write
        put_target(target)
        put_source(NO_NODE)
        put_delta(NAN)
        put_factor(NAN)
        put_site(code)
        put_event(len(c["kind"]))
        c["after"].append(number)
        if type(value) is int:
            c["int_after"].append(row)
        self.sums()[target] = value
        self.event(ZERO if is_zero else ASSIGN, row)

    def before_update(self, owner: Any, value: Any) -> None:
        """What a node's data is before it is written first in its own episode: what it was made with."""
        number = self.number_of(owner)
        row = number - self.first_node
        if number in self.current or row < 0 or type(value) not in (int, float):
            return
        self.current[number] = self.c["data"][row] = float(value)

    def update(self, code: int, owner: Any, value: Any, used: tuple[Any, ...]) -> None:
        target = self.target_of(owner)
        if target is None:
            return
        c = self.c
        row = len(c["updated"])
        old = self.current.get(target)
        if old is None:
            old = c["data"][target - self.first_node] if target >= self.first_node else NAN
        number = value if type(value) is float else self.odd_number(target, value)
        self.current[target] = number
        put_target, put_old, put_new, put_site, put_event, put_start = self.put_update
        put_target(target)
        put_old(old)
        put_new(number)
        put_site(code)
        put_event(len(c["kind"]))
        put_start(len(c["used"]))
        c["used"].extend([x if type(x) is float or type(x) is int else NAN for x in used])
        self.event(UPDATE, row)
