"""What the Value pane shows of an event that is no operation: a contribution, an update, a reset, a print."""

from __future__ import annotations

from microgpt_tui.protocol.codes import ACCUMULATE, ASSIGN, PRINT, UPDATE, ZERO
from microgpt_tui.trace.names import name
from microgpt_tui.trace.trace import Trace
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, clip, signed, text
from microgpt_tui.tui.numbers import short, written
from microgpt_tui.tui.pane import View


def event_lines(trace: Trace, event: int, width: int, *, full: bool) -> list[Line]:
    """What this very event does to its node: one contribution, an update with its numbers, a reset."""
    kind, row = trace.kind[event], trace.row[event]
    if kind == ACCUMULATE:
        source = trace.source[row]
        if source < 0 or full:
            return []
        upstream = trace.grad_at(source, event - 1)
        return [
            [],
            [
                text("now   ", palette.ACCENT, bold=True),
                text("grad += ", palette.TEXT),
                text(f"{short(trace.factor[row])} × {short(upstream)} = ", palette.NEUTRAL),
                signed(short(trace.delta[row]), trace.delta[row]),
            ],
            [text(clip(f"      propagated by {name(trace, source)}", width), palette.DIM)],
        ]
    if kind == ASSIGN:
        return [
            [],
            [
                text("now   ", palette.ACCENT, bold=True),
                text("grad = "),
                signed(written(trace.after[row], full=full), trace.after[row]),
                text("  the seed: d(loss)/d(loss)" if trace.source[row] < 0 else "  assigned", palette.DIM),
            ],
        ]
    if kind == ZERO:
        return [[], [text("now   ", palette.ACCENT, bold=True), text("grad is reset to zero")]]
    if kind == UPDATE:
        return _update_lines(trace, row, full)
    return []


def _update_lines(trace: Trace, row: int, full: bool) -> list[Line]:
    old, new = trace.old[row], trace.new[row]
    site = trace.program.site(trace.update_site[row])
    lines: list[Line] = [
        [],
        [
            text("now   ", palette.ACCENT, bold=True),
            text("data  "),
            signed(written(old, full=full), old),
            text(" → ", palette.DIM),
            signed(written(new, full=full), new),
            text("  by ", palette.DIM),
            signed(written(new - old, full=full), new - old),
        ],
        [text(f"      {trace.program.line_text(site.file, site.line).strip()}", palette.NEUTRAL)],
    ]
    start = trace.used_start[row]
    used = trace.used[start : start + len(site.names)]
    if used:
        lines.append([text("      with", palette.DIM)])
    label = max((len(n) for n in site.names), default=0)
    for label_text, value in zip(site.names, used, strict=False):
        shown = "?" if value != value else str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
        lines.append([text(f"      {label_text:<{label}}  ", palette.DIM), text(shown)])
    return lines


def print_lines(view: View, width: int) -> list[Line]:
    """A print: what the script wrote at this event."""
    trace, event = view.trace, view.event
    if trace.kind[event] != PRINT:
        return [[text("this event is about no node", palette.DIM)]]
    row = trace.row[event]
    end = trace.print_end[row]
    before = trace.print_end[row - 1] if row else 0
    site = trace.program.site(trace.print_site[row]) if trace.print_site[row] >= 0 else None
    lines: list[Line] = [[text("the script printed", palette.ACCENT, bold=True)]]
    if site is not None:
        code = trace.program.line_text(site.file, site.line).strip()
        lines.append([text(f"line {site.line}  ", palette.DIM), text(clip(code, width - 12), palette.NEUTRAL)])
    lines.append([])
    begin = max(before, end - 4000) if row else max(0, end - 400)
    raw = view.debugger.process.output(begin, end).decode("utf-8", "replace")
    lines += [[text("  " + part)] for part in raw.replace("\r", "").replace("\x1b", "␛").splitlines()[-40:]]
    lines += [[], [text("0 shows all of the output", palette.FAINT)]]
    return lines
