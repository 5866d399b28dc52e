"""The columns of an episode as they grow, and what every part of the encoder shares."""

from __future__ import annotations

from array import array
from operator import attrgetter
from typing import Any

from microgpt_tui.debuggee.record.kinds import NAN, SITE_CONSTANT, SITE_CREATE, Maker, Scope
from microgpt_tui.debuggee.rewrite.sites import SiteRecord
from microgpt_tui.protocol import frames as wire
from microgpt_tui.protocol.codes import COLUMNS
from microgpt_tui.protocol.gradients import Gradients
from microgpt_tui.protocol.rows import EventRows


class Columns:
    """The columns and tables of one episode."""

    def __init__(
        self,
        records: list[SiteRecord | None],
        node_class: type,
        names: tuple[str, str],
        first_node: int,
        kept: dict[int, int],
        start_grad: dict[int, float],
        stack: list[Scope],
        weights: dict[int, Any],
    ) -> None:
        self.records = records
        self.node_class = node_class
        self.data_name, self.grad_name = names
        self.first_node = first_node
        self.ids: dict[int, int] = dict(kept)
        self.outside_grads: dict[int, float] = {}
        """Grads that nodes of earlier episodes had when they were first met."""
        self.gradients = Gradients(first_node, start_grad, self.outside_grads)
        self.event_rows = EventRows()
        self.exact_sums: list[Any] | None = None
        """Per node its grad so far, from where on numbers are met that are neither doubles nor short ints."""
        self.write_rows = 0
        self.kept_locals: list[Any] = []
        """Per node of the episode what it keeps its local gradients in."""
        self.weights = weights
        self.c: dict[str, array[Any]] = {name: array(code) for name, code in COLUMNS.items()}
        self.sent: dict[str, int] = dict.fromkeys(COLUMNS, 0)
        self.stack = stack
        self.done = 0
        self.op_numbers: dict[str, int] = {}
        self.ops: list[str] = []
        self.texts: list[str] = []
        self.text_numbers: dict[str, int] = {}
        self.shapes: list[Any] = []
        self.shape_numbers: dict[str, int] = {}
        self.extras: dict[str, list[Any]] = {}
        self.pending = 0
        self.pending_operands: tuple[Any, ...] = ()
        self.operation_depth = 0
        self.last_node: Any = None
        self.last_is_constant = False
        self.unresolved: list[tuple[str, int, int, int, int]] = []
        """(operation, scope of its statement, first node, one past the last, its last event)."""
        self.children_name: str | None = None
        self.locals_name: str | None = None
        self.span_scope = -2
        self.scope_values: dict[int, str] = {}
        """Labels of the numbered scopes: what armed breakpoints ask for."""
        self.propagating: SiteRecord | None = None
        """The loop of a backward pass that runs: nodes in the log are those that propagate their gradients."""
        self.outside: list[Any] = []
        self.irregular: set[int] = set()
        """Loops whose iterations are known not to be alike."""
        self.in_iterations = False
        self.weight_places: dict[int, tuple[int, Any]] = {}
        """Lists of weights whose nodes are in ``bound_nodes`` already."""
        self.draws: list[float] = []
        self.candidate_maps: dict[int, dict[str, tuple[int, ...]]] = {}
        self.fresh: list[Any] = []
        """Nodes made since the last ``settle``: their columns are filled many at a time."""
        self.fresh_makers: list[Maker] = []
        self.makers: dict[tuple[int, int], dict[int, Maker]] = {}
        """(statement, outermost operation) -> mark before a node -> what is known of such a node."""
        self.waits = bytes(record is not None and record.kind in (SITE_CREATE, SITE_CONSTANT) for record in records)
        """By site: 1 for a mark that only announces a node."""
        self.data_of, self.grad_of = attrgetter(self.data_name), attrgetter(self.grad_name)
        if None in map(int_flag, start_grad.values()):
            self.be_exact()
        self.put_bind = [
            self.c["bind_" + name].append
            for name in ("event", "scope", "site", "kind", "start", "shape", "path", "index", "list")
        ]
        self.put_update = [
            self.c[name].append for name in ("updated", "old", "new", "update_site", "update_event", "used_start")
        ]

    @property
    def events(self) -> int:
        """How many events there are so far."""
        return len(self.c["kind"]) + len(self.fresh)

    @property
    def rows(self) -> int:
        """How many nodes have a place in the columns so far."""
        return len(self.c["data"]) + len(self.fresh)

    def sums(self) -> list[Any]:
        """The grad of every node so far, by number: 0 (as the script begins) for a new one."""
        if self.exact_sums is None:
            self.gradients.lay_out(self.c)
            return self.gradients.sums
        self.exact_sums.extend([0] * (self.first_node + len(self.c["data"]) - len(self.exact_sums)))
        return self.exact_sums

    def laid_out(self) -> dict[str, Any]:
        """The columns, and those of the writes that follow from them."""
        self.gradients.lay_out(self.c)
        self.event_rows.lay_out(self.c)
        return {**self.c, **vars(self.gradients), **vars(self.event_rows)}

    def be_exact(self) -> list[Any]:
        """From here on add the grads up with the script's own numbers: they are not all doubles and short ints."""
        self.exact_sums = list(self.sums())
        return self.exact_sums

    def operation_number(self, name: str) -> int:
        found = self.op_numbers.get(name)
        if found is None:
            found = self.op_numbers[name] = len(self.ops)
            self.ops.append(name)
        return found

    def shape(self, shape: Any) -> int:
        if shape is None:
            return -1
        key = repr(shape)
        number = self.shape_numbers.get(key)
        if number is None:
            number = self.shape_numbers[key] = len(self.shapes)
            self.shapes.append(shape)
            self.extras.setdefault("shapes", []).append(shape)
        return number

    def text(self, text: str) -> int:
        number = self.text_numbers.get(text)
        if number is None:
            number = self.text_numbers[text] = len(self.texts)
            self.texts.append(text)
            self.extras.setdefault("texts", []).append(text)
        return number

    def odd_number(self, number: int, value: Any) -> float:
        if type(value) is int or type(value) is bool:
            self.c["int_data"].append(number)
            return float(value)
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            self.extras.setdefault("odd_data", []).append((number, f"<{type(value).__name__}>"))
            return NAN

    def flush(self) -> tuple[dict[str, Any], wire.Blobs]:
        """What is new since the last time: a header, and per column its start and bytes."""
        blobs: dict[str, tuple[int, bytes]] = {}
        for name, column in self.c.items():
            start = self.sent[name]
            if len(column) > start:
                blobs[name] = (start, column[start:].tobytes())
            self.sent[name] = len(column)
        header = self.extras
        sent_ops = getattr(self, "sent_ops", 0)
        if len(self.ops) > sent_ops:
            header["ops"] = self.ops[sent_ops:]
            self.sent_ops = len(self.ops)
        self.extras = {}
        return header, blobs

    current: dict[int, float]
    """Data of the nodes that may be updated; the recorder fills in the start of the episode."""


def int_flag(value: Any) -> int | None:
    """1 for a Python int, 0 for a float; None for what a double does not hold to the last bit."""
    kind = type(value)
    if kind is float:
        return 0
    return 1 if (kind is int or kind is bool) and abs(value) < 2**53 else None


_NUMBERS = array("i", range(1 << 16))


def counting(start: int, stop: int) -> array[int]:
    """``start, …, stop - 1`` as a piece of a column: copied from one that is kept, not counted anew."""
    if stop > len(_NUMBERS):
        _NUMBERS.extend(range(len(_NUMBERS), max(stop, 2 * len(_NUMBERS))))
    return _NUMBERS[start:stop]


def path_text(path: tuple[Any, ...]) -> str:
    return "".join(f"[{p!r}]" for p in path if type(p) in (int, str))


def iteration_text(names: tuple[str, ...], values: tuple[Any, ...]) -> str:
    """``pos_id=2``: the loop's plain variables."""
    parts = []
    for name, value in zip(names, values, strict=False):
        if type(value) is int or (type(value) is str and len(value) <= 24):
            parts.append(f"{name}={value!r}" if type(value) is str else f"{name}={value}")
    return ", ".join(parts[:3])
