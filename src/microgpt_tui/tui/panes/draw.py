"""What the Value pane shows of events that are no operation: an update, a draw, a print."""

from __future__ import annotations

import math
from itertools import accumulate as running_sums

from rich.segment import Segment
from rich.style import Style

from microgpt_tui.protocol.codes import ACCUMULATE, ASSIGN, PRINT, UPDATE, ZERO
from microgpt_tui.trace.names import name
from microgpt_tui.trace.trace import Trace
from microgpt_tui.tui import palette
from microgpt_tui.tui.pane import Line, View, text

CANDIDATES = 400


def _number(value: float, full: bool) -> str:
    return repr(value) if full else palette.number(value)


def _signed(content: str, value: float) -> Segment:
    color = palette.BAD if not math.isfinite(value) else palette.NEGATIVE if value < 0 else palette.POSITIVE
    return Segment(content, Style(color=color if value else palette.DIM))


def event_line(trace: Trace, event: int, width: int, *, full: bool) -> list[Line]:
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
                text(f"{palette.number(trace.factor[row])} × {palette.number(upstream)} = ", palette.NEUTRAL),
                _signed(palette.number(trace.delta[row]), trace.delta[row]),
            ],
            [text(f"      propagated by {name(trace, source)}"[:width], palette.DIM)],
        ]
    if kind == ASSIGN:
        return [
            [],
            [
                text("now   ", palette.ACCENT, bold=True),
                text("grad = "),
                _signed(_number(trace.after[row], full), trace.after[row]),
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
            _signed(_number(old, full), old),
            text(" → ", palette.DIM),
            _signed(_number(new, full), new),
            text("  by ", palette.DIM),
            _signed(_number(new - old, full), new - old),
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


def draw_lines(trace: Trace, row: int, width: int, *, full: bool) -> list[Line]:
    """A random draw: the weights, where the draw fell in their running sum, what it chose."""
    start, count = trace.weight_start[row], trace.sample_count[row]
    weights = list(trace.weight[start : start + count])
    total = math.fsum(weights) or 1.0
    draw, choice = trace.draw[row], trace.choice[row]
    population = trace.populations[row] if row < len(trace.populations) else None
    letters = _letters(trace, count)

    def label(i: int) -> str:
        item = population[i] if isinstance(population, list) and i < len(population) else i
        return f"{item!r}" if isinstance(item, str) else f"{item} {letters[i]}" if letters else str(item)

    lines: list[Line] = [
        [text("a draw", palette.ACCENT, bold=True), text(f"  from {count:,} candidates", palette.DIM)],
        [],
    ]
    sums = list(running_sums(weights))
    if choice >= 0:
        low = sums[choice] - weights[choice]
        lines.append([text("chosen  ", palette.DIM), text(label(choice), palette.ACCENT, bold=True)])
        if draw == draw:
            lines.append([text("drawn   ", palette.DIM), text(f"{draw!r}" if full else f"{draw:.6f}"),
                          text("  of a uniform 0..1", palette.DIM)])  # fmt: skip
            lines.append(
                [text("        ", palette.DIM),
                 text(f"× {total:.6g} falls into [{low:.6f}, {sums[choice]:.6f})", palette.NEUTRAL)]
            )  # fmt: skip
    lines += [[], [text("  candidate      weight   share", palette.FAINT)]]
    order = sorted(range(count), key=lambda i: -weights[i])
    best = max(weights, default=1.0) or 1.0
    bar_room = max(0, width - 36)
    for i in order[:CANDIDATES]:
        share = weights[i] / total
        chosen = i == choice
        bar = "█" * round(weights[i] / best * bar_room) if math.isfinite(weights[i]) else "!"
        lines.append(
            [
                text("▶ " if chosen else "  ", palette.ACCENT),
                text(f"{label(i):<11.11}", palette.ACCENT if chosen else palette.TEXT, bold=chosen),
                text(f"{weights[i]:>10.6f}" if not full else f"{weights[i]!r:>22}", palette.TEXT),
                text(f"{share:>8.2%}  ", palette.DIM),
                text(bar, palette.share_color(weights[i] / best)),
            ]
        )
    if count > CANDIDATES:
        lines.append([text(f"  … {count - CANDIDATES:,} more", palette.FAINT)])
    return lines


def _letters(trace: Trace, count: int) -> list[str]:
    """The alphabet of the script, where it keeps one of about this size at module level."""
    for value in trace.program.namespace.values():
        if isinstance(value, list) and value and all(isinstance(v, str) and len(v) <= 4 for v in value):
            rest = count - len(value)
            if 0 <= rest <= 4:
                return [*(repr(v) for v in value), *["·"] * rest]
    return []


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
        lines.append([text(f"line {site.line}  ", palette.DIM), text(code[: width - 12], palette.NEUTRAL)])
    lines.append([])
    begin = max(before, end - 4000) if row else max(0, end - 400)
    raw = view.debugger.process.output(begin, end).decode("utf-8", "replace")
    lines += [[text("  " + part)] for part in raw.replace("\r", "").replace("\x1b", "␛").splitlines()[-40:]]
    lines += [[], [text("0 shows all of the output", palette.FAINT)]]
    return lines
