"""The calls around the cursor, as a debugger lists them: where each stands, and which one is looked at."""

from __future__ import annotations

from dataclasses import dataclass

from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.trace.navigation import line_of_statement
from microgpt_tui.trace.trace import Trace
from microgpt_tui.trace.variables import frames


@dataclass(frozen=True, slots=True)
class Frame:
    """A call that is under way, or the module."""

    number: int
    """0 is the innermost."""
    name: str
    """With its short arguments: ``gpt(token_id=26, pos_id=0)``."""
    file: int
    line: int
    """Where it stands: the innermost at the cursor, another one at its call."""
    source: str
    scope: int


def frames_at(trace: Trace, event: int) -> list[Frame]:
    """The calls around an event, the innermost first, the module last."""
    found = []
    at = line_of_statement(trace, event) or _site_of(trace, trace.scope_of(event))
    for number, scope in enumerate(frames(trace, event)):
        module = trace.scope_kind(scope) == SiteKind.MODULE
        name = "the module" if module else trace.scope_label(scope)
        file, line = at
        text = trace.program.line_text(file, line).strip()
        found.append(Frame(number, name, file, line, text, scope))
        at = _site_of(trace, scope)
        outer = trace.scope_parent[scope]
        while outer >= 0 and trace.scope_kind(outer) not in (SiteKind.CALL, SiteKind.MODULE, SiteKind.STATEMENT):
            outer = trace.scope_parent[outer]
        if outer >= 0 and trace.scope_kind(outer) == SiteKind.STATEMENT:
            at = _site_of(trace, outer)  # the whole statement that calls
    return found


def _site_of(trace: Trace, scope: int) -> tuple[int, int]:
    site = trace.program.site(trace.scope_site[max(scope, 0)])
    return site.file, site.line
