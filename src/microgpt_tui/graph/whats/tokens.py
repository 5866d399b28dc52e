"""``tokens``: the distribution over the next token."""

from __future__ import annotations

from dataclasses import dataclass

from microgpt_tui.graph.cells import cell
from microgpt_tui.graph.files import ExportError
from microgpt_tui.graph.picture import Picture, table_picture
from microgpt_tui.graph.presets import Style
from microgpt_tui.graph.request import Subject, What
from microgpt_tui.recognise.tokens import probability_values, tokens

MOST = 14
"""Tokens that are shown; the target always is."""
BAR = 420
"""Points of the longest bar."""


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar per token: (name, probability, is the target)."""

    rows: list[tuple[str, float, bool]]

    def label(self, style: Style) -> str:
        """Names, bars and percentages."""
        theme, longest = style.theme, max(p for _, p, _ in self.rows) or 1.0
        lines = []
        for name, p, aim in self.rows:
            color = theme.positive if aim else theme.line
            bar = max(1, round(BAR * p / longest))
            lines.append(
                f"<TR>{cell(name, theme.background, theme.text, 110, 'RIGHT')}"
                f'<TD ALIGN="LEFT" WIDTH="{BAR + 20}"><TABLE BORDER="0" CELLSPACING="0" CELLPADDING="0"><TR>'
                f'<TD FIXEDSIZE="TRUE" WIDTH="{bar}" HEIGHT="22" BGCOLOR="{color}"></TD>'
                f'<TD FIXEDSIZE="TRUE" WIDTH="{BAR + 10 - bar}" HEIGHT="22"></TD></TR></TABLE></TD>'
                f"{cell(f'{100 * p:.2f} %', theme.background, theme.text, 76, 'RIGHT')}"
                f"{cell('◀ target' if aim else '', theme.background, theme.positive, 80, 'LEFT')}</TR>"
            )
        return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="3" CELLPADDING="0">{"".join(lines)}</TABLE>'


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
