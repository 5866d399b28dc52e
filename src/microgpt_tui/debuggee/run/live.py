"""The facts of the newest event, read from the encoder's columns: what ``trace.facts`` reads from a trace."""

from __future__ import annotations

from typing import Any

from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.protocol.codes import (
    ACCUMULATE,
    ASSIGN,
    BACKWARD,
    BASE_PHASE,
    CREATE,
    EVENT_NAMES,
    FORWARD,
    PHASE_NAMES,
    PRINT,
    SAMPLE,
    UPDATE,
    WHOLE,
    ZERO,
    BindKind,
    SiteKind,
    phase_after,
)
from microgpt_tui.protocol.conditions import (
    NAN,
    Inputs,
    element_name,
    leaf_count,
    parameter_name,
    parse_iteration,
)

_WRITES = (ACCUMULATE, ASSIGN, ZERO)


class LiveFacts:
    """Answers about the newest event; see ``protocol.conditions.FACTS`` for what each means."""

    def __init__(self, recorder: Recording) -> None:
        self.recorder = recorder
        self.parameters: dict[int, str] | None = None
        self.reset()

    def reset(self) -> None:
        """Another episode, or another stretch of this one."""
        self.scanned = 0
        self.phase_now = -1
        self.phase_before = -1
        self.loss = NAN
        self.names_seen = 0
        self.names: dict[int, tuple[int, str]] = {}

    def value(self, name: str, event: int) -> Any:
        """One fact."""
        reader = getattr(self, "_" + name, None)
        return reader(event) if reader is not None else self._loop(name)

    # -- the node and its numbers ------------------------------------------------------------

    def node(self, event: int) -> int:
        """The node that the event is about, or -1."""
        c = self.recorder.encoder.laid_out()
        kind, row = c["kind"][event], c["row"][event]
        if kind == CREATE:
            return self.recorder.encoder.first_node + int(row)
        if kind in _WRITES:
            return int(c["target"][row])
        return int(c["updated"][row]) if kind == UPDATE else -1

    _node = node

    def number_of(self, node: int) -> float:
        """A node's data now."""
        encoder = self.recorder.encoder
        known: float | None = encoder.current.get(node)
        if known is not None:
            return known
        place = node - encoder.first_node
        return float(encoder.laid_out()["data"][place]) if 0 <= place < len(encoder.laid_out()["data"]) else NAN

    def _data(self, event: int) -> float:
        node = self.node(event)
        return self.number_of(node) if node >= 0 else NAN

    def _grad(self, event: int) -> float:
        c = self.recorder.encoder.laid_out()
        kind, row = c["kind"][event], c["row"][event]
        if kind in _WRITES:
            return float(c["after"][row])
        if kind == UPDATE:
            return float(self.recorder.encoder.sums()[c["updated"][row]])
        return 0.0 if kind == CREATE else NAN

    def grad_before(self, row: int) -> float:
        """A target's grad before a write of it."""
        recorder = self.recorder
        c = recorder.encoder.laid_out()
        target = c["target"][row]
        for earlier in range(row - 1, -1, -1):
            if c["target"][earlier] == target:
                return float(c["after"][earlier])
        for number, grad in zip(recorder.kept_ids.values(), recorder.start_grad, strict=False):
            if number == target:
                return float(grad)
        return 0.0

    def _delta(self, event: int) -> float:
        c = self.recorder.encoder.laid_out()
        kind, row = c["kind"][event], c["row"][event]
        if kind in _WRITES:
            return float(c["delta"][row])
        return float(c["new"][row] - c["old"][row]) if kind == UPDATE else NAN

    def _factor(self, event: int) -> float:
        c = self.recorder.encoder.laid_out()
        return float(c["factor"][c["row"][event]]) if c["kind"][event] in _WRITES else NAN

    def _op(self, event: int) -> str:
        encoder = self.recorder.encoder
        node = self.node(event)
        if node < 0:
            return ""
        place = node - encoder.first_node
        if place < 0:
            return self.recorder.kept_ops.get(node, "")
        made: str = encoder.ops[encoder.laid_out()["op"][place]]
        return made

    def _inputs(self, event: int) -> Inputs:
        encoder = self.recorder.encoder
        c = encoder.laid_out()
        if c["kind"][event] != CREATE:
            return Inputs()
        row = c["row"][event]
        end = c["child_start"][row + 1] if row + 1 < len(c["child_start"]) else len(c["child"])
        return Inputs(self.number_of(child) for child in c["child"][c["child_start"][row] : end])

    def _kind(self, event: int) -> str:
        return EVENT_NAMES[self.recorder.encoder.laid_out()["kind"][event]]

    # -- where -------------------------------------------------------------------------------

    def path(self) -> list[int]:
        """Scopes around the newest event, innermost first."""
        c = self.recorder.encoder.laid_out()
        scope = c["span_scope"][-1]
        found = []
        while scope >= 0:
            found.append(scope)
            scope = c["scope_parent"][scope]
        return found

    def label(self, scope: int) -> str:
        """A loop iteration's or a call's recorded variables."""
        return self.recorder.encoder.scope_values.get(scope, "")

    def _line(self, event: int) -> int:
        c = self.recorder.encoder.laid_out()
        records = self.recorder.records
        kind, row = c["kind"][event], c["row"][event]
        column = {ACCUMULATE: "write_site", ASSIGN: "write_site", ZERO: "write_site", UPDATE: "update_site",
                  SAMPLE: "sample_site", PRINT: "print_site"}.get(kind)  # fmt: skip
        if column is not None:
            record = records[c[column][row]]
            if record is not None:
                return int(record.line)
        path = self.path()
        for scope in path:
            record = records[c["scope_site"][scope]]
            if record is not None and record.kind is SiteKind.STATEMENT:
                return int(record.line)
            if record is not None and record.kind in (SiteKind.CALL, SiteKind.MODULE):
                break
        record = records[c["scope_site"][path[0]]] if path else None
        return int(record.line) if record is not None else 0

    def _scope(self, event: int) -> str:
        c = self.recorder.encoder.laid_out()
        parts = []
        for scope in reversed(self.path()):
            record = self.recorder.records[c["scope_site"][scope]]
            if record is None or record.kind not in (SiteKind.CALL, SiteKind.ITERATION):
                continue
            value = self.label(scope)
            if record.kind is SiteKind.ITERATION:
                parts.append(value or f"{record.name} iteration")
            else:
                parts.append(f"{record.name}({value})" if value else record.name)
        return " > ".join(parts)

    def _pos(self, event: int) -> Any:
        recorder = self.recorder
        c = recorder.encoder.laid_out()
        for scope in self.path():
            site = c["scope_site"][scope]
            record = recorder.records[site]
            episodes = (recorder.train_site, recorder.sample_site)
            if record is None or record.kind is not SiteKind.ITERATION or site in episodes:
                continue
            if any("pos" in n or n == "t" for n in record.names):
                values = parse_iteration(self.label(scope))
                if values:
                    return next(iter(values.values()))
        return NAN

    def _loop(self, name: str) -> Any:
        c = self.recorder.encoder.laid_out()
        for scope in self.path():
            record = self.recorder.records[c["scope_site"][scope]]
            if record is not None and record.kind is SiteKind.ITERATION:
                values = parse_iteration(self.label(scope))
                if name in values:
                    return values[name]
        return NAN

    def _step(self, event: int) -> int:
        return self.recorder.episode_number if self.recorder.episode_kind == "step" else 0

    def _sample(self, event: int) -> int:
        return self.recorder.episode_number if self.recorder.episode_kind == "sample" else 0

    # -- phases, loss ------------------------------------------------------------------------

    def phase_number(self, event: int) -> int:
        """The event's phase; ``phase_before`` is then the phase of the event before."""
        recorder = self.recorder
        c = recorder.encoder.laid_out()
        kinds, rows = c["kind"], c["row"]
        base = BASE_PHASE.get(recorder.episode_kind, FORWARD)
        if self.phase_now < 0:
            self.phase_now = self.phase_before = base
        phase = self.phase_now
        before = self.phase_before
        for e in range(self.scanned, event + 1):
            before = phase
            kind = kinds[e]
            phase = phase_after(phase, kind, base, e == 0)
            if phase == BACKWARD and before != phase and kind == ASSIGN:
                self.loss = self.number_of(c["target"][rows[e]])
        if event + 1 > self.scanned:
            self.scanned = event + 1
            self.phase_now, self.phase_before = phase, before
        return self.phase_now

    def _phase(self, event: int) -> str:
        return PHASE_NAMES[self.phase_number(event)]

    def _loss(self, event: int) -> float:
        self.phase_number(event)
        return self.loss

    # -- names -------------------------------------------------------------------------------

    def bound_name(self, row: int) -> str:
        """The name that a binding row is about."""
        encoder = self.recorder.encoder
        record = self.recorder.records[encoder.laid_out()["bind_site"][row]]
        if record is not None and record.kind is SiteKind.ITERATION:
            path = encoder.laid_out()["bind_path"][row]
            return encoder.texts[path] if path >= 0 else ""
        return record.name if record is not None else ""

    def _name(self, event: int) -> str:
        node = self.node(event)
        encoder = self.recorder.encoder
        if node < encoder.first_node:
            return self.parameter_names().get(node, "")
        self.take_names()
        found = self.names.get(node)
        return found[1] if found is not None and found[0] <= event else ""

    def take_names(self) -> None:
        """Names of nodes, from the bindings since the last look."""
        encoder = self.recorder.encoder
        c = encoder.laid_out()
        for row in range(self.names_seen, len(c["bind_event"])):
            kind = c["bind_kind"][row]
            if kind not in (BindKind.NODE, BindKind.NODES) or c["bind_index"][row] != WHOLE:
                continue
            path = c["bind_path"][row]
            name = encoder.texts[path] if path >= 0 else self.bound_name(row)
            since = max(c["bind_event"][row], c["scope_first"][c["bind_scope"][row]])
            shape = encoder.shapes[c["bind_shape"][row]] if kind == BindKind.NODES else None
            for place in range(1 if shape is None else leaf_count(shape)):
                node = c["bound_nodes"][c["bind_start"][row] + place]
                if node >= encoder.first_node and (node not in self.names or since < self.names[node][0]):
                    self.names[node] = since, name if shape is None else element_name(name, shape, place)
        self.names_seen = len(c["bind_event"])

    def parameter_names(self) -> dict[int, str]:
        """Parameter -> its name; none before the setup has ended."""
        if self.recorder.episode_kind == "setup":
            return {}
        if self.parameters is None:
            self.parameters = {}
            for name, shape, nodes in self.recorder.kept_message["matrices"]:
                for place, node in enumerate(nodes):
                    self.parameters.setdefault(node, parameter_name(name, shape, place))
        return self.parameters
