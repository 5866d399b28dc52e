"""Armed breakpoints: hooks that look at every operation, and the exact check where one may be hit.

Free running must stay fast: a hook is generated for the breakpoints that are set, with whatever
can be decided from the live object written straight into it. Only where that leaves a doubt is
the log encoded and the event looked at as the record will show it: so that the script stops at
the very events that a search through the record finds.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

from microgpt_tui.debuggee import sites as names
from microgpt_tui.debuggee.live import LiveFacts
from microgpt_tui.debuggee.recorder import Recorder
from microgpt_tui.trace.codes import (
    ACCUMULATE,
    ASSIGN,
    BACKWARD,
    BASE_PHASE,
    CONSTANT_OP,
    CREATE,
    LEAVE_OPERATION,
    OPTIMIZER,
    PRINT,
    UPDATE,
    ZERO,
    SiteKind,
)
from microgpt_tui.trace.conditions import (
    CONSTANTS,
    FUNCTIONS,
    LONGEST_PRINTED,
    Condition,
    Template,
    condition,
    made_here,
    printed_line,
    template,
)

REFLECTED = {"radd": "add", "rmul": "mul", "rsub": "sub", "rtruediv": "truediv", "rpow": "pow", "iadd": "add"}
MOST_LOGS = 1000
"""Log lines that are kept back before they are sent."""

Stop = Callable[..., None]


class Armed:
    """One breakpoint, live."""

    def __init__(self, message: dict[str, Any]) -> None:
        extra = frozenset(message["extra"])
        self.number: int = message["number"]
        self.kind: str = message["kind"]
        self.sites = frozenset(message["sites"])
        self.writes = frozenset(message["writes"])
        self.ops = frozenset(message["ops"])
        self.composites = frozenset(message["composites"])
        self.nodes = frozenset(message["nodes"])
        self.values: list[str] = message["values"]
        self.which: int = message["which"]
        self.phase: int = message["phase"]
        self.stdout: str = message.get("stdout", "")
        self.condition: Condition | None = condition(message["condition"], extra) if message["condition"] else None
        self.template: Template | None = template(message["log"], extra) if message.get("log") is not None else None
        self.ignore: int = message.get("ignore", 0)
        self.every = self.condition is not None and self.condition.event_level
        """The condition is asked at every event inside the place, not only at its first."""
        self.last = -1
        self.hits = 0
        self.bound: set[int] = set()
        """VAR: events at which the variable was bound."""

    def labelled(self, label: str) -> bool:
        """As ``trace.breakpoints.labelled``."""
        if not self.values:
            return True
        parts = label.split(", ")
        return (any if self.kind == "pos" else all)(v in parts for v in self.values)


class Breaks:
    """The breakpoints that are armed now."""

    def __init__(self, recorder: Recorder, stop: Stop, busy: Callable[[], bool]) -> None:
        self.recorder = recorder
        self.stop = stop
        self.busy = busy
        self.messages: list[dict[str, Any]] = []
        self.armed: list[Armed] = []
        self.floor = -1
        """Events up to here have been seen: the script went on from there."""
        self.facts = LiveFacts(recorder)
        self.looked_at = -1
        self.composites = False
        self.binds_seen = 0
        self.logs: list[tuple[int, str, int, int]] = []
        self.first = [0]
        """Set when the next event is the first of a scope that may be wanted."""
        recorder.on_open = self.episode_opens

    # -- arming ------------------------------------------------------------------------------

    def arm(self, messages: list[dict[str, Any]]) -> None:
        """Take a new set of breakpoints; the script is about to go on."""
        self.messages = messages
        self.armed = [Armed(m) for m in messages]
        self.composites = any(a.composites for a in self.armed)
        self.looked_at = -1
        if not self.armed:
            self.unhook()
            return
        encoder = self.recorder.encoder
        encoder.feed(self.recorder.log)
        self.floor = encoder.events - 1
        self.binds_seen = len(encoder.c["bind_event"])
        self.facts.reset()
        self.first[0] = 1

    def episode_opens(self) -> None:
        """Another episode: numbers of events start again, and so do the scopes around it."""
        self.floor = self.looked_at = -1
        self.binds_seen = 0
        self.facts.reset()
        self.first[0] = 1
        for a in self.armed:
            a.last = -1
            a.bound.clear()
        if self.armed and (self.recorder.check is None or self.recorder.check == self.look):
            self.hook()

    def report(self) -> dict[str, Any]:
        """What was hit and logged since the last report."""
        if not self.armed:
            return {}
        hits = {str(a.number): a.hits for a in self.armed if a.hits}
        for a in self.armed:
            a.hits = 0
        logs, self.logs = self.logs, []
        return {"hits": hits, "logs": logs}

    # -- the exact check ---------------------------------------------------------------------

    def look(self, event: bool) -> None:
        """As ``event``, for the recorder: something was printed or drawn."""
        self.event()

    def event(self) -> bool:
        """Something may have been hit: look at the newest event as the record shows it.

        True when the script was stopped.
        """
        recorder = self.recorder
        encoder = recorder.encoder
        encoder.feed(recorder.log)
        event = encoder.events - 1
        if event <= self.floor or self.busy():
            return False
        binds = self.binds_seen
        self.take_binds()
        if event == self.looked_at and binds == self.binds_seen and not self.composites:
            return False
        self.looked_at = event
        hits: list[int] = []
        failures: list[tuple[int, str]] = []
        for a in self.armed:
            if a.last == event or not self.place(a, event):
                continue
            if a.condition is not None:
                try:
                    if not a.condition.test(*(self.facts.value(n, event) for n in a.condition.names)):
                        continue
                except Exception as error:  # the condition's own fault: stop once and say so
                    failures.append((a.number, f"{type(error).__name__}: {error}"))
            a.last = event
            a.hits += 1
            if a.ignore > 0 and not failures:
                a.ignore -= 1
            elif a.template is not None and not failures:
                self.log(a, event)
            else:
                hits.append(a.number)
        if hits:
            self.stop("break", numbers=hits, failures=failures)
        return bool(hits)

    def log(self, a: Armed, event: int) -> None:
        """A log point: its text, and no stop."""
        assert a.template is not None
        text = a.template.render({n: self.facts.value(n, event) for n in a.template.names})
        self.logs.append((a.number, text, self.recorder.episode_index, event))
        if len(self.logs) > MOST_LOGS:
            del self.logs[: MOST_LOGS // 2]

    def take_binds(self) -> None:
        """Variables bound since the last look."""
        c = self.recorder.encoder.c
        end = len(c["bind_event"])
        if self.binds_seen == end:
            return
        wanted = [a for a in self.armed if a.kind == "var"]
        if wanted:
            for row in range(self.binds_seen, end):
                for a in wanted:
                    if c["bind_site"][row] in a.sites and self.facts.bound_name(row) == a.values[0]:
                        a.bound.add(max(c["bind_event"][row] - 1, c["scope_first"][c["bind_scope"][row]]))
        self.binds_seen = end

    def place(self, a: Armed, event: int) -> bool:
        """True when the newest event is where the breakpoint is; see ``trace.breakpoints.where``."""
        facts, kind = self.facts, a.kind
        c = self.recorder.encoder.c
        what, row = c["kind"][event], c["row"][event]
        if kind == "any":
            return True
        if kind == "nan":
            return self.made_not_finite(event, what, row)
        if kind in ("step", "sample"):
            return event == 0 and (self.recorder.episode_kind, self.recorder.episode_number) == (kind, a.which)
        if kind == "phase":
            now = facts.phase_number(event)
            return (event == 0 or facts.phase_before != now) and a.phase in (-1, now)
        if kind == "loss":
            now = facts.phase_number(event)
            return what == ASSIGN and now == BACKWARD and (event == 0 or facts.phase_before != now)
        if kind == "param":
            return what in (ACCUMULATE, ASSIGN, ZERO, UPDATE) and facts.node(event) in a.nodes
        if kind == "print":
            return what == PRINT and (not a.values[0] or a.values[0] in self.printed(a, c["print_end"][row]))
        if kind == "var":
            return event in a.bound
        if a.ops and what == CREATE and ("*" in a.ops or facts.value("op", event) in a.ops):
            return True
        if a.writes and (
            (what in (ACCUMULATE, ASSIGN, ZERO) and c["write_site"][row] in a.writes)
            or (what == UPDATE and c["update_site"][row] in a.writes)
        ):
            return True
        if not a.sites and not a.composites:
            return False
        for scope in facts.path():
            site = c["scope_site"][scope]
            if site in a.sites and (a.every or c["scope_first"][scope] == event):
                if a.labelled(facts.label(scope)):
                    return True
            elif a.composites and c["scope_last"][scope] == event:
                record = self.recorder.records[site]
                if record is not None and record.kind is SiteKind.OPERATION and record.name in a.composites:
                    return True
        return False

    def made_not_finite(self, event: int, what: int, row: int) -> bool:
        facts = self.facts
        c = self.recorder.encoder.c
        if what == CREATE:
            value = c["data"][row]
            return bool(value - value != 0) and made_here(value, facts.value("inputs", event))
        if what == UPDATE:
            return bool(c["new"][row] - c["new"][row] != 0 and c["old"][row] - c["old"][row] == 0)
        if what in (ACCUMULATE, ASSIGN, ZERO):
            after = c["after"][row]
            if after - after == 0:
                return False
            before = facts.grad_before(row)
            upstream = self.recorder.encoder.grads.get(c["source"][row], 0.0)
            return bool(before - before == 0 and upstream - upstream == 0)
        return False

    @staticmethod
    def printed(a: Armed, end: int) -> str:
        try:
            with Path(a.stdout).open("rb") as handle:
                handle.seek(max(0, end - LONGEST_PRINTED))
                return printed_line(handle.read(min(end, LONGEST_PRINTED)))
        except OSError:
            return ""

    # -- hooks -------------------------------------------------------------------------------

    def hook(self) -> None:
        """Replace the free hooks by ones that look for the armed breakpoints."""
        if not self.armed:
            return
        hooks = vars(builtins)
        made = self.generate()
        for hook in (names.NODE, names.NOTE, names.MARK, names.SOURCE):
            if hook in made:
                hooks[hook] = made[hook]
        self.recorder.check = self.look
        self.hook_binds()

    def hook_binds(self) -> None:
        """Notice the variables that a breakpoint waits for; while stepping too."""
        wanted = frozenset().union(*(a.sites for a in self.armed if a.kind == "var")) if self.armed else frozenset()
        bind = self.recorder.bind
        if not wanted:
            vars(builtins)[names.BIND] = bind
            return
        first, event = self.first, self.event

        def watched(code: int, value: Any, path: Any = None, one: bool = False, root: Any = None) -> None:
            bind(code, value, path, one, root)
            if code in wanted:
                event()
                first[0] = 1

        vars(builtins)[names.BIND] = watched

    def unhook(self) -> None:
        """Nothing is armed."""
        vars(builtins)[names.BIND] = self.recorder.bind

    def generate(self) -> dict[str, Callable[..., None]]:
        """The hooks for the armed breakpoints, compiled from a few lines each."""
        recorder = self.recorder
        base = BASE_PHASE.get(recorder.episode_kind, 1)
        reach: dict[str, Any] = {
            **FUNCTIONS, **CONSTANTS, "append": recorder.log.append, "event": self.event,
            "first": self.first, "phase": [-1], "NAN": float("nan"), "type": type, "int": int,
            "tuple": tuple, "Exception": Exception, "id": id, "__builtins__": {},
            "step": recorder.episode_number if recorder.episode_kind == "step" else 0,
            "sample": recorder.episode_number if recorder.episode_kind == "sample" else 0,
            "BASE": base, "BACKWARD": BACKWARD, "OPTIMIZER": OPTIMIZER, "LOG": recorder.log, "hooks": vars(builtins),
            "zip": zip, "len": len, "STEPPING": names.STEPPING,
        }  # fmt: skip
        self.codes(reach)
        node, added, updated, assigned, turns, marks = [], [], [], [], [], []
        for i, a in enumerate(self.armed):
            if a.kind in ("any", "op") or (a.kind in ("line", "scope", "pos") and a.every):
                cheap = self.cheap(a, "data", "grad", "kind", "delta", "factor", "op")
                if a.kind == "op" or (a.kind == "line" and a.ops):
                    if "*" not in a.ops:
                        reach[f"OTHER{i}"] = frozenset(c for c, op in reach["OPS"].items() if op not in a.ops)
                        cheap = f"({cheap}) and code not in OTHER{i}"
                    if a.ops:
                        node.append(cheap)
                if a.kind != "op":
                    node.append(cheap)
                    added.append(self.cheap(a, "data", "grad", "kind", "delta", "factor"))
                    updated.append(self.cheap(a, "data", "grad", "kind"))
                    assigned.append(self.cheap(a, "data", "grad", "delta", "factor"))
            elif a.kind == "line" and a.ops:
                reach[f"OTHER{i}"] = frozenset(c for c, op in reach["OPS"].items() if op not in a.ops)
                node.append(f"code not in OTHER{i}")
            if a.writes:
                reach[f"WRITES{i}"] = a.writes
                for lines in (added, updated, assigned):
                    lines.append(f"code in WRITES{i}")
            if a.kind == "param":
                reach[f"IDS{i}"] = frozenset(k for k, number in recorder.kept_ids.items() if number in a.nodes)
                for lines in (added, updated, assigned):
                    lines.append(f"id(entry[1]) in IDS{i}")
            elif a.kind == "nan":
                node.append("data - data != 0")
                added.append("delta - delta != 0 or grad - grad != 0")
                updated.append("data - data != 0")
                assigned.append("grad - grad != 0")
            elif a.kind in ("phase", "loss"):
                node.append("phase[0] != BASE and (phase.__setitem__(0, BASE) or True)")
                added.append("phase[0] != BACKWARD and (phase.__setitem__(0, BACKWARD) or True)")
                updated.append("phase[0] != OPTIMIZER and (phase.__setitem__(0, OPTIMIZER) or True)")
                assigned.append("phase.__setitem__(0, -1) or True")
            if a.kind in ("line", "scope", "pos") and a.sites:
                reach[f"SITES{i}"] = a.sites
                marks.append(f"code in SITES{i}")
                turns.append(f"code in SITES{i}")
            if a.kind == "var":
                reach[f"VARS{i}"] = a.sites
                turns.append(f"code in VARS{i} and (event() or True)")
            if a.composites:
                reach["LEAVE"] = LEAVE_OPERATION
                marks.append("code == LEAVE and (event() and False)")
        return self.compile(reach, node, added, updated, assigned, turns, marks)

    def cheap(self, a: Armed, *known: str) -> str:
        """What of the condition the hook can decide by itself; ``True`` where that is nothing."""
        return (a.condition.implied((*known, "step", "sample")) if a.condition is not None else "") or "True"

    def codes(self, reach: dict[str, Any]) -> None:
        """Sites by what their notes and marks mean."""
        kinds: dict[SiteKind, set[int]] = {}
        ops: dict[int, str] = {}
        for number, record in enumerate(self.recorder.records):
            if record is not None:
                kinds.setdefault(record.kind, set()).add(number)
                if record.kind is SiteKind.CREATE:
                    ops[number] = REFLECTED.get(record.name, record.name)
                elif record.kind is SiteKind.CONSTANT:
                    ops[number] = CONSTANT_OP
        reach["ACC"] = frozenset(kinds.get(SiteKind.ACCUMULATE, ()))
        reach["UPD"] = frozenset(kinds.get(SiteKind.UPDATE, ()))
        reach["ASG"] = frozenset(kinds.get(SiteKind.ASSIGN, ()))
        reach["OPS"] = ops

    def compile(self, reach: dict[str, Any], node: list[str], added: list[str], updated: list[str],
                assigned: list[str], turns: list[str], marks: list[str]) -> dict[str, Callable[..., None]]:  # fmt: skip
        """Functions from the tests; a hook without a test stays the bare ``append``."""
        data, grad = self.recorder.data_name, self.recorder.grad_name
        waits = any(a.kind in ("line", "scope", "pos", "var", "phase", "step", "sample", "loss") for a in self.armed)
        made: dict[str, Callable[..., None]] = {}

        def facts(tests: list[str], table: dict[str, str]) -> list[str]:
            text = " ".join(tests)
            return [f"{n} = {v}" for n, v in table.items() if _mentions(text, n)]

        def block(tests: list[str], table: dict[str, str]) -> list[str]:
            if not tests:
                return ["pass"]
            if "op" in table and _mentions(" ".join(tests), "op"):
                tests = ["op is None", *tests]
            return [*facts(tests, table), "hit = " + " or ".join(f"({t})" for t in tests)]

        if node or waits:
            text = " ".join(node)
            body = []
            if _mentions(text, "code") or _mentions(text, "op"):
                body = ["before = LOG[-2] if len(LOG) > 1 else 0",
                        "kind_of = type(before)",
                        "code = before if kind_of is int else before[0] if kind_of is tuple else 0"]  # fmt: skip
            body += block(node, {
                "data": f"entry.{data}", "grad": f"entry.{grad}", "kind": "'create'", "delta": "NAN", "factor": "NAN",
                "op": "OPS.get(code)",
            })  # fmt: skip
            made[names.NODE] = _function("entry", body, reach, waits)
        if added or updated or assigned or turns or waits:
            common = {"data": f"entry[1].{data}", "grad": f"entry[1].{grad}"}
            body = ["code = entry[0]", "if code in ACC:"]
            body += ["    " + s for s in block(added, {
                **common, "kind": "'accumulate'", "delta": "entry[3]",
                "factor": "NAN if entry[4] is None else entry[4]"})]  # fmt: skip
            body += ["    wrote = True", "elif code in UPD:"]
            body += ["    " + s for s in block(updated, {**common, "kind": "'update'"})]
            body += ["    wrote = True", "elif code in ASG:"]
            body += ["    " + s for s in block(assigned, {**common, "delta": "NAN", "factor": "NAN"})]
            body += ["    wrote = True", "else:", "    wrote = False"]
            if turns:
                body += [f"    if {' or '.join(f'({t})' for t in turns)}:", "        first[0] = 1"]
            made[names.NOTE] = _function("entry", body, reach, waits, "first[0] and wrote")
        if added or waits:
            made[names.SOURCE] = self.source(reach, added, waits)
        if marks:
            body = [f"if {' or '.join(f'({t})' for t in marks)}:", "    first[0] = 1"]
            made[names.MARK] = _function("code", body, reach, False)
        return made


    def source(self, reach: dict[str, Any], added: list[str], waits: bool) -> Callable[..., None]:
        """The hook of a backward pass that is logged by whole nodes.

        A node whose contributions may be hit is noted contribution by contribution, and ``NOTE`` looks at each.
        """
        data, grad = self.recorder.data_name, self.recorder.grad_name
        text = " ".join(added)
        facts = {"factor": "_f", "delta": "_f * _g", "grad": f"_c.{grad} + _f * _g", "data": f"_c.{data}",
                 "kind": "'accumulate'"}  # fmt: skip
        lines = ["def hook(node):", "    hit = first[0] == 1" if waits else "    hit = False"]
        loops = [r for r in self.recorder.records if r is not None and r.kind is SiteKind.HANDS]
        tests = [t for t in added if "code in" not in t]
        if len(tests) < len(added) or len(loops) != 1:  # every contribution is wanted, or it is not known whose
            lines = ["def hook(node):", "    hit = True"]
        elif tests:
            children, factors = loops[0].names
            test = " or ".join(f"({t})" for t in tests)
            lines += ["    try:", f"        _g = node.{grad}", f"        _n = node.{children}"]
            if _mentions(text, "grad"):
                lines += ["        if len(_n) == 2 and _n[0] is _n[1]:", "            hit = True"]
            lines += [f"        for _c, _f in zip(_n, node.{factors}):"]
            lines += [f"            {n} = {v}" for n, v in facts.items() if _mentions(text, n)]
            if _mentions(text, "entry"):
                lines.append("            entry = (0, _c)")
            lines += [f"            if {test}:", "                hit = True", "                break"]
            lines += ["    except Exception:", "        hit = True"]
        lines += ["    if hit:", "        hooks[STEPPING] = True", "    else:", "        hooks[STEPPING] = False",
                  "        append(node)"]  # fmt: skip
        scope = {**reach, "phase": _Peek(reach["phase"])}
        exec(compile("\n".join(lines), "<breakpoints>", "exec"), scope)  # of checked conditions and lines of our own
        made: Callable[..., None] = scope["hook"]
        return made


class _Peek(list[int]):
    """The phase, to be looked at and not set: the note that follows sets it."""

    def __init__(self, real: list[int]) -> None:
        super().__init__()
        self.real = real

    def __getitem__(self, index: Any) -> Any:
        return self.real[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        pass


def _mentions(text: str, name: str) -> bool:
    """True when a name is in a piece of source as a word of its own."""
    at = text.find(name)
    while at >= 0:
        left = text[at - 1] if at else " "
        right = text[at + len(name)] if at + len(name) < len(text) else " "
        if not (left.isalnum() or left in "_.") and not (right.isalnum() or right == "_"):
            return True
        at = text.find(name, at + 1)
    return False


def _function(argument: str, body: list[str], reach: dict[str, Any], waits: bool,
              waiting: str = "first[0]") -> Callable[..., None]:  # fmt: skip
    lines = [f"def hook({argument}):", f"    append({argument})", "    hit = False", "    try:"]
    lines += ["        " + s for s in body]
    lines += ["    except Exception:", "        hit = True"]
    if waits:
        lines += [f"    if hit or ({waiting}):", "        first[0] = 0", "        event()"]
    else:
        lines += ["    if hit:", "        event()"]
    scope = dict(reach)
    exec(compile("\n".join(lines), "<breakpoints>", "exec"), scope)  # of checked conditions and lines of our own
    made: Callable[..., None] = scope["hook"]
    return made
