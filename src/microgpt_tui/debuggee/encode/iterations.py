"""Loop iterations that all do the same (an optimizer's, one per parameter) into columns, many at once.

The first iterations are encoded as any others. Of two that follow one another the difference tells how every
place, count and number of an event goes on from iteration to iteration; only values, and which nodes they belong to,
are read from the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from typing import Any

from microgpt_tui.debuggee.encode.columns import Columns, iteration_text
from microgpt_tui.debuggee.encode.nodes import Nodes
from microgpt_tui.debuggee.encode.scopes import Scopes
from microgpt_tui.debuggee.encode.writes import Writes
from microgpt_tui.debuggee.record.identity import identity_of
from microgpt_tui.debuggee.record.kinds import (
    NAN,
    SITE_ASSIGN,
    SITE_BIND,
    SITE_ELEMENT,
    SITE_ITERATION,
    SITE_STATEMENT,
    SITE_UPDATE,
)
from microgpt_tui.debuggee.record.walk import doubles
from microgpt_tui.protocol.codes import WHOLE

FEWEST = 24
"""Iterations that are identical, from which on this pays."""
LONGEST = 200
"""Entries of an iteration."""
KINDS = (SITE_ITERATION, SITE_STATEMENT, SITE_BIND, SITE_ELEMENT, SITE_UPDATE, SITE_ASSIGN)
READ = (
    "bound_numbers",
    "bound_nodes",
    "bind_index",
    "bind_list",
    "updated",
    "old",
    "new",
    "used",
    "noted_target",
    "noted_value",
)
"""Columns whose content comes from the log."""

Values = dict[str, list[Sequence[Any]]]


Read = Callable[[list[Any], int, int], None]


class _Irregular(Exception):
    """These iterations are not identical after all."""


class Iterations:
    """Encodes runs of iterations that are identical."""

    def __init__(self, columns: Columns, nodes: Nodes, scopes: Scopes, writes: Writes, read: Read) -> None:
        """``read(log, position, end)`` encodes entries one after another."""
        self.columns = columns
        self.nodes = nodes
        self.scopes = scopes
        self.writes = writes
        self.sums = writes.sums
        self.read = read
        self.irregular: set[int] = set()
        """Loops whose iterations are known not to be identical."""
        self.in_iterations = False

    def vectorised_iterations(self, log: list[Any], position: int, end: int) -> int:
        """Encode a run of iterations that begins here, but for its last; where that is (here, if this is no run)."""
        code = log[position][0]
        if code in self.irregular or self.in_iterations or self.sums.exact_sums is not None:
            return position
        shape = self.iteration_shape(log, position, end)
        length = len(shape)
        count, after = 0, position + length
        while shape and after <= end and _shape(log[after - length : after]) == shape:
            count, after = count + 1, after + length
        if count < FEWEST:
            return position
        record = self.columns.records[code]
        assert record is not None
        marks = []
        self.in_iterations = True
        for _ in range(3):  # the first may open what the others find open
            self.read(log, position, position + length)
            self.nodes.flush()
            self.scopes.to_loop(record)
            position += length
            count -= 1
            marks.append((
                {name: len(column) for name, column in self.columns.c.items()},
                self.scopes.span_scope,
                len(self.columns.extras.get("scope_values", ())),
            ))  # fmt: skip
        self.in_iterations = False
        end = position + (count - 1) * length  # the last stays open, as a pause in it finds it
        try:
            self.go_on(shape, log[position - length : end], marks)
        except _Irregular:
            self.irregular.add(code)
            return position
        return end

    def iteration_shape(self, log: list[Any], position: int, end: int) -> list[int]:
        """The sites of one iteration's entries; empty where there is something in it that is no plain bookkeeping."""
        code = log[position][0]
        shape: list[int] = []
        for at in range(position, min(end, position + LONGEST)):
            entry = log[at]
            kind = type(entry)
            site = entry if kind is int else entry[0] if kind is tuple else -1
            record = self.columns.records[site] if site > 0 else None
            if record is None or record.kind not in KINDS:
                return []
            if record.kind is SITE_ITERATION and at > position:
                return shape if site == code else []
            shape.append(site)
        return []

    def go_on(self, shape: list[int], log: list[Any], marks: list[tuple[dict[str, int], int, int]]) -> None:
        """Columns for all iterations in ``log`` but the first, from that one and the one before it."""
        (first, _, labels), (second, scope, labels_between), (third, scope_now, labels_now) = marks
        iterations = len(log) // len(shape) - 1
        values = {name: [told[1:] for told in parts] for name, parts in self.values_of(shape, log).items()}
        c = self.columns.c
        pieces = {}
        for name, column in c.items():
            before, piece = column[first[name] : second[name]], column[second[name] : third[name]]
            if len(before) != len(piece) or (name in values and len(values[name]) != len(piece)):
                raise _Irregular
            if piece:
                pieces[name] = before, piece
        if "kind" not in pieces or labels_now - labels_between != labels_between - labels:
            raise _Irregular
        parts: Iterable[Any]
        for name, (before, piece) in pieces.items():
            if name in values:
                parts = values[name]
            else:
                steps = [0 if b != b else b - a for a, b in zip(before, piece, strict=True)]  # NaN: in every iteration
                if not any(steps):
                    c[name].extend(piece * iterations)
                    continue
                parts = [
                    range(at + step, at + (iterations + 1) * step, step) if step else repeat(at, iterations)
                    for at, step in zip(piece, steps, strict=True)
                ]
            c[name].extend(chain.from_iterable(zip(*parts, strict=True)))
        for owners, told in zip(values["updated"], values["new"], strict=True):
            self.writes.current.update(zip(owners, told, strict=True))
        self.sums.write_rows += iterations * (third["noted_row"] - second["noted_row"])
        self.label_iterations(log[len(shape) :: len(shape)], labels_now - labels_between)
        self.scopes.span_scope = scope_now + iterations * (scope_now - scope)

    def label_iterations(self, entries: list[Any], each: int) -> None:
        """What the loop's plain variables were in each iteration, where an iteration is labelled with them."""
        if not each:
            return
        known = self.columns.extras["scope_values"]
        (before, _), (number, _) = known[-2:]
        record = self.columns.records[entries[0][0]]
        assert record is not None
        step = number - before
        labels = [(number + (k + 1) * step, iteration_text(record.names, entry[1])) for k, entry in enumerate(entries)]
        known.extend(labels)
        self.scopes.scope_values.update(labels)

    def values_of(self, shape: list[int], log: list[Any]) -> Values:
        """What the columns READ get: per place in an iteration, the values of all iterations. Raises _Irregular."""
        values: Values = {name: [] for name in READ}
        for place, code in enumerate(shape):
            record = self.columns.records[code]
            assert record is not None
            entries = log[place :: len(shape)]
            kind = record.kind
            if kind is SITE_ITERATION:
                for k in range(len(record.names)):
                    self.read_bound(values, [entry[1][k] for entry in entries], WHOLE, 0)
            elif kind is SITE_BIND:
                if set(map(len, entries)) != {2}:
                    raise _Irregular
                self.read_bound(values, [entry[1] for entry in entries], WHOLE, 0)
            elif kind is SITE_ELEMENT:
                _, owners, paths, told = zip(*entries, strict=True)
                last = [path[-1] for path in paths]
                if set(map(type, owners)) != {list} or set(map(type, last)) != {int} or set(map(len, paths)) != {1}:
                    raise _Irregular
                self.read_bound(values, told, last, list(map(identity_of, owners)))
            elif kind is SITE_UPDATE:
                self.read_update(values, entries)
            elif kind is SITE_ASSIGN:
                self.read_assign(values, entries)
        return values

    def read_bound(self, values: Values, told: Sequence[Any], index: Any, identity: Any) -> None:
        types = set(map(type, told))
        if types == {self.columns.node_class}:
            values["bound_nodes"].append(self.numbers_of(told))
        elif types == {float} or (types == {int} and max(map(abs, told)) < 2**53):
            values["bound_numbers"].append(told)
        else:
            raise _Irregular
        values["bind_index"].append(index if type(index) is list else [index] * len(told))
        values["bind_list"].append(identity if type(identity) is list else [identity] * len(told))

    def read_update(self, values: Values, entries: list[Any]) -> None:
        if set(map(type, [entry[2] for entry in entries])) != {float} or len(set(map(len, entries))) != 1:
            raise _Irregular
        owners = self.numbers_of([entry[1] for entry in entries])
        self.only_once(values["updated"], owners)
        earlier = [told for known, told in zip(values["updated"], values["new"], strict=True) if known == owners]
        values["old"].append(earlier[-1] if earlier else [self.writes.current.get(owner) for owner in owners])
        if None in values["old"][-1]:
            raise _Irregular
        values["updated"].append(owners)
        values["new"].append([entry[2] for entry in entries])
        for k in range(3, len(entries[0])):
            used = [entry[k] for entry in entries]
            plain = set(map(type, used)) <= {float, int}
            values["used"].append(doubles(used if plain else [x if type(x) in (float, int) else NAN for x in used]))

    def read_assign(self, values: Values, entries: list[Any]) -> None:
        told = [entry[2] for entry in entries]
        types = set(map(type, told))
        if (types != {float} and types != {int}) or any(told):  # zeros: what else is assigned is rare
            raise _Irregular
        owners = self.numbers_of([entry[1] for entry in entries])
        self.only_once(values["noted_target"], owners)
        values["noted_target"].append(owners)
        values["noted_value"].append(told)

    def numbers_of(self, nodes: Sequence[Any]) -> list[int]:
        try:
            return list(map(self.nodes.ids.__getitem__, map(identity_of, nodes)))
        except KeyError:
            raise _Irregular from None

    @staticmethod
    def only_once(known: list[Sequence[int]], owners: list[int]) -> None:
        """Each iteration has a node of its own: else what an iteration finds depends on the iterations before."""
        mine = set(owners)
        if len(mine) != len(owners) or any(other != owners and not mine.isdisjoint(other) for other in known):
            raise _Irregular


def _shape(entries: list[Any]) -> list[Any]:
    return [e if (kind := type(e)) is int else e[0] if kind is tuple else None for e in entries]
