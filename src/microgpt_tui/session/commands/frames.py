"""Where the code is: the calls around the cursor, the source around a line, what a name is."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from microgpt_tui.session.commands.command import Command, CommandError, Result, count_of
from microgpt_tui.session.commands.values import names
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.frames import Frame, frames_at
from microgpt_tui.trace.formula import short
from microgpt_tui.trace.names import describe
from microgpt_tui.trace.references import NotHere, node_named
from microgpt_tui.trace.trace import Program, Trace
from microgpt_tui.trace.variables import Variable, in_scope, variable

SHOWN = 8
"""Numbers of a list that are written out."""
AROUND = 5
"""Lines of ``list`` to both sides."""


def _here(debugger: Debugger) -> tuple[Trace, int]:
    trace, event = debugger.trace, debugger.moment.event
    if trace is None or not 0 <= event < len(trace):
        raise CommandError("nothing is recorded here")
    return trace, event


def _all(debugger: Debugger) -> list[Frame]:
    found = frames_at(*_here(debugger))
    if not found:
        raise CommandError("no call is under way here")
    return found


def _row(debugger: Debugger, frame: Frame) -> str:
    mark = "▶" if frame.number == debugger.looked.number(debugger) else " "
    files = debugger.history.program.files
    file = f"{files[frame.file][0].rpartition('/')[2]}:" if len(files) > 1 else "line "
    return f"{mark} #{frame.number}  {frame.name}  {file}{frame.line}: {frame.source}"


def _data(frame: Frame) -> dict[str, Any]:
    return {"number": frame.number, "name": frame.name, "line": frame.line, "source": frame.source}


def _backtrace(debugger: Debugger, argument: str) -> Result:
    found = _all(debugger)
    return Result("\n".join(_row(debugger, f) for f in found), {"frames": [_data(f) for f in found]})


def _by(sign: int) -> Callable[[Debugger, str], Result]:
    def run(debugger: Debugger, argument: str) -> Result:
        found, now = _all(debugger), debugger.looked.number(debugger)
        to = min(max(now + sign * count_of(argument), 0), len(found) - 1)
        if to == now:
            raise CommandError("this is the module: nothing calls it" if sign > 0 else "this is the innermost call")
        debugger.looked.look(debugger, to)
        return _frame(debugger, "")

    return run


def _frame(debugger: Debugger, argument: str) -> Result:
    found = _all(debugger)
    if argument:
        if not argument.isdigit() or int(argument) >= len(found):
            raise CommandError(f"frame which? 0 to {len(found) - 1}: `bt` lists them")
        debugger.looked.look(debugger, int(argument))
    frame = found[debugger.looked.number(debugger)]
    trace, event = _here(debugger)
    own = [v for v in in_scope(trace, event) if v.scope == frame.scope]
    lines = [_row(debugger, frame), *(f"    {v.name} = {_value(trace, event, v)}" for v in own)]
    return Result("\n".join(lines), {**_data(frame), "file": frame.file, "variables": [v.name for v in own]})


def _value(trace: Trace, event: int, v: Variable) -> str:
    if not v.has_nodes and not isinstance(v.value, list):
        return repr(v.value) if isinstance(v.value, str) else _number(v.value)
    if v.has_nodes:
        shown = [_number(trace.data_at(n, event)) if n is not None and n >= 0 else "?" for n in v.flat[:SHOWN]]
    else:
        shown = [_number(x) for x in v.flat[:SHOWN]]
    if v.has_nodes and not v.shape:
        return shown[0] if shown else "?"
    more = ", …" if len(v.flat) > SHOWN else ""
    return f"[{'×'.join(map(str, v.shape))}] {', '.join(shown)}{more}".rstrip()


def _number(value: Any) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else short(value)
    return str(value)


def _list(debugger: Debugger, argument: str) -> Result:
    program = debugger.history.program
    frame = _all(debugger)[debugger.looked.number(debugger)]
    file, first, last = _range(program, frame, argument)
    lines = program.files[file][1].splitlines()
    if not 1 <= first <= len(lines):
        raise CommandError(f"line {first}: the file has {len(lines)}")
    last = min(last, len(lines))
    stops = {b.line: "●" if b.enabled else "○" for b in debugger.breakpoints if b.line and b.file == file}
    rows = [
        f"{stops.get(n, ' ')}{'▶' if (file, n) == (frame.file, frame.line) else ' '}{n:>5}  {lines[n - 1]}".rstrip()
        for n in range(first, last + 1)
    ]
    return Result("\n".join(rows), {"file": program.files[file][0], "first": first, "lines": lines[first - 1 : last]})


def _range(program: Program, frame: Frame, text: str) -> tuple[int, int, int]:
    """(file, first line, last line)."""
    numbers = re.fullmatch(r"(\d+)(?:\s*[,-]\s*(\d+))?", text)
    if numbers is not None:
        first = int(numbers[1])
        return (
            (frame.file, first, int(numbers[2])) if numbers[2] else (frame.file, max(1, first - AROUND), first + AROUND)
        )
    if not text:
        return frame.file, max(1, frame.line - AROUND), frame.line + AROUND
    for file, (_, source) in enumerate(program.files):
        for number, line in enumerate(source.splitlines(), 1):
            if re.match(rf"\s*(?:async\s+)?(?:def|class)\s+{re.escape(text.rpartition('.')[2])}\b", line):
                return file, number, number + 2 * AROUND
    raise CommandError(f"list {text}: no function or class of that name; list 120, list 100,120, list gpt")


def _what_is(debugger: Debugger, argument: str) -> Result:
    trace, event = _here(debugger)
    name = trace.program.class_name
    found = variable(trace, event, argument)
    if found is not None and found.shape:
        many = len(found.flat)
        kind = f"{name}s" if found.has_nodes else "numbers"
        text = f"{argument}: a nest of lists, {'×'.join(map(str, found.shape))}: {many:,} {kind}"
        return Result(text, {"name": argument, "shape": list(found.shape), "nodes": found.has_nodes})
    if found is not None and not found.has_nodes:
        return Result(f"{argument}: {type(found.value).__name__} {found.value!r}", {"name": argument})
    matrix = next((m for m in trace.program.matrices if m.name == argument), None)
    if matrix is not None:
        text = f"{argument}: parameters, {'×'.join(map(str, matrix.shape))}: {len(matrix.nodes):,} {name}s"
        return Result(text, {"name": argument, "shape": list(matrix.shape), "nodes": True})
    try:
        node = node_named(trace, argument, event)
    except NotHere as error:
        raise CommandError(f"whatis {argument}: {error}") from None
    if trace.is_parameter(node):
        return Result(f"{argument}: {name} #{node:,}, a parameter", {"name": argument, "node": node})
    made = ", ".join(describe(trace, c) for c in trace.children(node)) or "nothing recorded"
    line = trace.site_of(node).line
    text = f"{argument}: {name} #{node:,}, {trace.op_name(node)} of {made}, made on line {line}"
    return Result(text, {"name": argument, "node": node, "op": trace.op_name(node), "line": line})


INFO: dict[str, str] = {
    "breakpoints": "breakpoints", "branches": "branches", "history": "history", "frame": "frame", "stack": "bt",
    "source": "list", "bookmarks": "bookmark", "line": "where", "display": "display", "locals": "frame",
    "args": "frame",
}  # fmt: skip
"""What ``info`` tells -> the command that tells it."""


def _info(debugger: Debugger, argument: str) -> Result:
    from microgpt_tui.session.commands import COMMANDS
    from microgpt_tui.session.commands.command import lookup

    wanted = [name for name in INFO if name.startswith(argument)] if argument else []
    if len(wanted) != 1:
        raise CommandError(f"info what? {', '.join(sorted(INFO))}")
    answer = lookup(INFO[wanted[0]], COMMANDS).run(debugger, "")
    return answer if isinstance(answer, Result) else Result()


COMMANDS = (
    Command("bt", "", "The calls around the cursor, innermost first; ▶ is the one looked at", _backtrace,
            aliases=("backtrace", "stack")),
    Command("up", "[N]", "Look at the call outside, and its variables", _by(1)),
    Command("down", "[N]", "Look at the call inside", _by(-1)),
    Command("frame", "[NUMBER]", "The call that is looked at, and its variables; or look at another", _frame),
    Command("list", "[LINE|FROM,TO|NAME]", "The source around the call that is looked at, a line, or a function", _list,
            aliases=("l",)),
    Command("whatis", "NAME", "What a name is: a parameter, an operation's result, a list of how many", _what_is,
            choices=names),
    Command("info", "WHAT", f"Tell about {', '.join(sorted(INFO))}", _info,
            choices=lambda d: sorted(INFO)),
)  # fmt: skip
