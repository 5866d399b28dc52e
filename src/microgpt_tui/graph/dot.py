"""DOT: pictures for Graphviz and other tools, which lay them out themselves."""

from __future__ import annotations

from collections.abc import Iterator

from microgpt_tui.graph.labels import edge_label, edge_value, has_groups
from microgpt_tui.graph.measure import rows_of
from microgpt_tui.graph.paint import look
from microgpt_tui.graph.picture import Arrow, Box, Picture
from microgpt_tui.graph.presets import Style


def quoted(text: str) -> str:
    """A quoted DOT string, taken literally (graphviz's own rules for quoting)."""
    from graphviz import escape as literal
    from graphviz.quoting import quote

    return str(quote(literal(text)))


def document(picture: Picture, style: Style) -> str:
    """A picture as a DOT document."""
    theme = style.theme
    lines = [
        "digraph {",
        f'  graph [rankdir={style.direction} bgcolor="{theme.background}" fontcolor="{theme.text}" '
        f"label={quoted(picture.title)} labelloc=t]",
        f'  node [shape=box style="rounded,filled" fontname="DejaVu Sans" fontsize=12 fontcolor="{theme.text}"]',
        f'  edge [fontname="DejaVu Sans" fontsize=11 color="{theme.line}" fontcolor="{theme.faint}"]',
    ]
    lines += _clusters(picture, style)
    groups = has_groups(picture)
    lines += [_edge(arrow, number, style, groups) for number, arrow in enumerate(picture.arrows)]
    return "\n".join([*lines, "}"]) + "\n"


def _clusters(picture: Picture, style: Style) -> Iterator[str]:
    def part(scope: int, indent: str) -> Iterator[str]:
        for box in picture.boxes:
            if box.cluster == scope:
                yield indent + _node(box, style)
        for inner, (label, around) in picture.clusters.items():
            if around == scope:
                yield f"{indent}subgraph cluster_{inner} {{"
                yield f'{indent}  graph [label={quoted(label)} style=rounded color="{style.theme.cluster_line}"]'
                yield from part(inner, indent + "  ")
                yield indent + "}"

    yield from part(-1, "  ")


def _node(box: Box, style: Style) -> str:
    if box.body is not None:
        text = box.body.text()
    else:
        text = "\n".join(f"{row.text} {row.number}".strip() for row in rows_of(box, style))
    fill, line, width, dash = look(box, style.theme)
    pattern = "filled" if box.kind == "parameter" else "rounded,filled"
    pattern += ",dashed" if dash else ""
    return (
        f'n{box.key} [label={quoted(text)} style="{pattern}" fillcolor="{fill}" color="{line}" penwidth={width:g} '
        f"tooltip={quoted(box.title)}]"
    )


def _edge(arrow: Arrow, number: int, style: Style, groups: bool) -> str:
    settings = [f"id=e{number}"]
    value = edge_value(arrow, style)
    sign = value if value == value else arrow.contribution
    if sign == sign and sign != 0 and not groups:
        color = style.theme.negative if sign < 0 else style.theme.positive
        settings.append(f'color="{color}" fontcolor="{color}"' + (" style=dashed" if sign < 0 else ""))
    label = edge_label(arrow, style, groups)
    if label:
        settings.append(f"label={quoted(label)}")
    return f"  n{arrow.tail} -> n{arrow.head} [{' '.join(settings)}]"
