"""``tokens``: the distribution over the next token."""

from __future__ import annotations

from dataclasses import dataclass

from microgpt_tui.graph.draw.font import text_width
from microgpt_tui.graph.draw.shapes import Group, Shape, Text, rectangle
from microgpt_tui.graph.files import ExportError
from microgpt_tui.graph.picture import Picture, table_picture
from microgpt_tui.graph.presets import Style
from microgpt_tui.graph.request import Subject, What
from microgpt_tui.recognise.tokens import probability_values, tokens

MOST = 14
"""Tokens that are shown; the target always is."""
NAME, BAR, STEP = 110.0, 420.0, 30.0
"""Points: the names' column, the longest bar, a line."""


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar per token: (name, probability, is the target)."""

    rows: list[tuple[str, float, bool]]

    def size(self, style: Style) -> tuple[float, float]:
        """A line per token."""
        return NAME + BAR + 200, len(self.rows) * STEP

    def shapes(self, x: float, y: float, style: Style) -> list[Shape]:
        """Names, bars and percentages."""
        theme, longest = style.theme, max(p for _, p, _ in self.rows) or 1.0
        found: list[Shape] = []
        for name, p, aim in self.rows:
            color = theme.positive if aim else theme.line
            bar = max(1.0, BAR * p / longest)
            line = y + STEP / 2 + 5
            line_of: list[Shape] = [
                Text(x + NAME - 12, line, name, 15, theme.text, aim, "end"),
                rectangle(x + NAME, y + 4, bar, STEP - 8, color, radius=2),
                Text(x + NAME + bar + 10, line, f"{100 * p:.2f} %", 15, theme.text, aim, "start"),
            ]
            if aim:
                wide = text_width(f"{100 * p:.2f} %", 15, True)
                line_of.append(Text(x + NAME + bar + wide + 24, line, "◀ target", 15, theme.positive, True, "start"))
            tip = f"{name}: probability {p:.6f}" + (", to be predicted" if aim else "")
            found.append(Group(line_of, f"cell-{name}", tip, {"cell": repr(p)}))
            y += STEP
        return found

    def text(self) -> str:
        """A line per token."""
        return "\n".join(f"{name} {100 * p:.2f} %" + (" target" if aim else "") for name, p, aim in self.rows)


def picture(subject: Subject) -> Picture:
    """The most likely next tokens at the moment's position, with what was to be predicted."""
    trace, event = subject.trace, subject.event
    found = tokens(trace)
    if not found.distributions:
        raise ExportError("no distribution over tokens in this episode")
    one = found.distributions[found.at(trace, event)]
    if trace.born_at(one.last) > event:
        raise ExportError("the distribution of this position is not complete yet: choose a later event")
    probabilities = probability_values(trace, one)
    shown = sorted(range(len(probabilities)), key=lambda i: -probabilities[i])[:MOST]
    if one.target >= 0 and one.target not in shown:
        shown[-1] = one.target
    names = found.vocabulary
    rows = [(names.name(token), probabilities[token], token == one.target) for token in shown]
    data: list[dict[str, object]] = [
        {"token": token, "name": name, "probability": p, "target": aim}
        for token, (name, p, aim) in zip(shown, rows, strict=True)
    ]
    after = f" after {names.name(one.token)}" if one.token >= 0 else ""
    rest = len(probabilities) - len(shown)
    legend = f"+{rest} more tokens, each less likely" if rest > 0 else ""
    return table_picture(f"What comes next{after}? · position {one.position}", legend, Bars(rows), data)


WHATS = (What("tokens", "the distribution over the next token", picture, needs_node=False),)
