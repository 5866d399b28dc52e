"""Whether a step that was run again is the same to the last bit; and what of the script can make it another."""

from __future__ import annotations

import ast
import struct

from microgpt_tui.session.history import Summary
from microgpt_tui.trace.trace import Program

_SOURCES = {
    "time": "the clock", "perf_counter": "the clock", "monotonic": "the clock", "time_ns": "the clock",
    "now": "the clock", "today": "the clock", "process_time": "the clock", "urandom": "os.urandom",
    "SystemRandom": "random.SystemRandom", "secrets": "secrets", "token_bytes": "secrets", "uuid4": "uuid",
    "uuid1": "uuid", "getpid": "the process's number", "socket": "a socket", "Thread": "threads",
    "urlopen": "a download", "getloadavg": "the machine's load",
}  # fmt: skip
"""A name in a script, and what it reads that no second run reads again."""


def differences(first: Summary, again: Summary, program: Program) -> list[str]:
    """What differs, in words; empty where nothing does."""
    found = []
    if not _same(first.loss, again.loss):
        found.append(f"its loss was {first.loss!r} and is {again.loss!r}")
    was, now = first.data, again.data
    if was is not None and now is not None and was.tobytes() != now.tobytes():
        places = [i for i, (a, b) in enumerate(zip(was, now, strict=False)) if not _same(a, b)]
        what = f"weight {places[0]} was {was[places[0]]!r} and is {now[places[0]]!r}" if places else "the weights"
        found.append(f"{len(places):,} of {len(was):,} weights differ, {what}")
    if not found:
        return []
    sources = unreproducible(program)
    because = f"; the script uses {', '.join(sources)}" if sources else ""
    return [f"{first.kind} {first.number} run again is not the same: {' and '.join(found)}{because}"]


def unreproducible(program: Program) -> list[str]:
    """What the script uses that no second run reads again, with its line."""
    found: dict[str, str] = {}
    for path, text in program.files:
        try:
            tree = ast.parse(text)
        except SyntaxError:  # it has been run: a file of another Python
            continue
        for node in ast.walk(tree):
            name = node.func if isinstance(node, ast.Call) else None
            word = name.attr if isinstance(name, ast.Attribute) else name.id if isinstance(name, ast.Name) else ""
            what = _SOURCES.get(word)
            if what is not None and name is not None:
                found.setdefault(what, f"{what} ({path.rpartition('/')[2]}:{name.lineno})")
    return list(found.values())


def _same(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return struct.pack("<d", a) == struct.pack("<d", b)
