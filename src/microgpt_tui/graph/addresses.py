"""Names that lead back: ``attn_weights[1] @ pos_id=7, li=0, h=3``; what a title prints, ``--node`` takes."""

from __future__ import annotations

import re
from difflib import get_close_matches

from microgpt_tui.trace.names import name, nodes_called, own_name, parameter_names, place_text
from microgpt_tui.trace.references import NotHere, node_named
from microgpt_tui.trace.trace import Trace

_PLACE = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:=|\s)\s*(\S+)\s*")
SHOWN = 5
"""Suggestions."""


def address(trace: Trace, node: int) -> str:
    """A text that ``node_at_address`` reads back to this very node."""
    own = own_name(trace, node)
    if own is None:
        return f"#{node} ({name(trace, node)})"
    if node < trace.first_node or len(nodes_called(trace).get(own, ())) < 2:
        return own
    where = place_text(trace, trace.born_at(node)).replace(" · ", ", ")
    text = f"{own} @ {where}" if where else own
    same = [n for n in nodes_called(trace)[own] if place_text(trace, trace.born_at(n)).replace(" · ", ", ") == where]
    return text if same[-1:] == [node] else f"#{node} ({text})"


def node_at_address(trace: Trace, text: str, event: int) -> int:
    """The node of an address, of a name with its place (``q[3] @ pos 2, head 0``), of a plain name (the newest), or of
    ``#123``. Raises NotHere that suggests names."""
    plain = text.strip()
    numbered = re.match(r"#(\d+)\s*\(", plain)
    if numbered:
        return node_named(trace, numbered[1], event)
    wanted, _, where = plain.partition(" @ ") if " @ " in plain else plain.partition(" · ")
    if not where:
        try:
            return node_named(trace, plain, event)
        except NotHere as error:
            raise NotHere(f"{error}{_suggestions(trace, plain)}") from None
    places = _read_places(where)
    called = [n for n in nodes_called(trace).get(wanted.strip(), ()) if trace.born_at(n) <= event]
    if not called:
        raise NotHere(f"no value is called {wanted.strip()!r} at this moment{_suggestions(trace, wanted)}")
    found = [n for n in called if _is_at(_places(trace, n), places)]
    if not found:
        there = dict.fromkeys(place_text(trace, trace.born_at(n)).replace(" · ", ", ") for n in called)
        some = "; ".join(list(there)[:SHOWN])
        raise NotHere(f"{wanted.strip()} is not at {where.strip()}. It is at {some}" + ("; …" * (len(there) > SHOWN)))
    exact = [n for n in found if _places(trace, n) == dict(places)]
    return (exact or found)[-1]


def _read_places(text: str) -> list[tuple[str, str]]:
    found = []
    for part in re.split(r",|·", text):
        place = _PLACE.fullmatch(part)
        if place is None:
            raise NotHere(f"{part.strip()!r} is no place: write pos 3, or pos_id=3")
        found.append((place[1], place[2]))
    return found


def _places(trace: Trace, node: int) -> dict[str, str]:
    parts = (part.partition("=") for part in place_text(trace, trace.born_at(node)).split(" · "))
    return {loop: value for loop, _, value in parts}


def _is_at(here: dict[str, str], wanted: list[tuple[str, str]]) -> bool:
    """``pos`` and ``position`` mean a loop over ``pos_id``, ``head`` one over ``h``, ``layer`` one over ``li``."""

    def means(word: str, loop: str) -> bool:
        return word == loop or loop.startswith(word) or word.startswith(loop) or (word, loop[:1]) == ("layer", "l")

    return all(
        here.get(word, next((v for loop, v in here.items() if means(word, loop)), None)) == value
        for word, value in wanted
    )


def _suggestions(trace: Trace, text: str) -> str:
    known = [*nodes_called(trace), *parameter_names(trace.program).values()]
    close = get_close_matches(text.strip(), known, n=SHOWN, cutoff=0.6)
    if not close:
        stem = re.split(r"[\[.]", text.strip())[0]
        close = [k for k in known if stem and stem in k][:SHOWN]
    return f". Did you mean {', '.join(close)}?" if close else ""
