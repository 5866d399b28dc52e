"""Numbers of the record that the person has poked, stacked per episode, and what they come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from microgpt_tui.audit import effects as parts
from microgpt_tui.audit.ripple import Operate, Ripple, ripple
from microgpt_tui.protocol import messages
from microgpt_tui.protocol.stops import Killed
from microgpt_tui.recognise.tokens import tokens
from microgpt_tui.session.debugger import Debugger, Unanswered
from microgpt_tui.trace.references import NotHere, node_named, nodes_of, read_text
from microgpt_tui.trace.trace import Trace


class NotPokable(ValueError):
    """There is no such thing to change; the message says what there is."""


@dataclass(frozen=True, slots=True)
class Poke:
    """One change of the record."""

    text: str
    """As a person would say it: ``q[3] = 0.5``."""
    changed: Mapping[int, float] = field(default_factory=dict)
    operands: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


def poked(debugger: Debugger, text: str) -> Poke:
    """``q[3] = 0.5``, ``head_out = 0`` (all its numbers), ``token 2 = e``. Raises NotPokable."""
    left, sign, right = text.partition("=")
    if not sign:
        raise NotPokable("poke NAME = X, as poke attn_weights[1] = 0, or poke token POSITION = TOKEN")
    trace = here(debugger)
    words = left.split()
    if words[:1] == ["token"] and len(words) == 2:
        return _token(trace, words[1], right.strip())
    try:
        number = float(right)
    except ValueError:
        raise NotPokable(f"“{right.strip()}” is no number") from None
    return Poke(f"{left.strip()} = {number:g}", dict.fromkeys(named(debugger, left.strip()), number))


def ablated(debugger: Debugger, text: str) -> Poke:
    """``head LAYER HEAD``, ``position P``, ``block MLP 0``, or a name: what it gives is 0. Raises NotPokable."""
    trace = here(debugger)
    kind, _, rest = text.partition(" ")
    try:
        if kind == "head":
            layer, head = (int(x) for x in rest.split())
            nodes = parts.head_output(trace, layer, head)
        elif kind == "position":
            nodes = parts.weights_on(trace, int(rest))
        elif kind == "block":
            nodes = parts.block_output(trace, rest.strip())
        else:
            nodes = named(debugger, text)
    except NotPokable:
        raise
    except ValueError:
        raise NotPokable("ablate head LAYER HEAD, position P, block MLP 0, or NAME") from None
    except LookupError as error:
        raise NotPokable(str(error)) from None
    return Poke(f"{text} switched off ({len(nodes)} numbers 0)", dict.fromkeys(nodes, 0.0))


def _token(trace: Trace, place: str, text: str) -> Poke:
    vocabulary = tokens(trace).vocabulary
    known = [i for i in range(tokens(trace).size) if vocabulary.text(i) == text]
    token = known[0] if known else int(text.removeprefix("#")) if text.removeprefix("#").isdigit() else -1
    if not place.isdigit() or token < 0:
        raise NotPokable("poke token POSITION = TOKEN, as poke token 2 = e, or = #4 for a token's number")
    try:
        return Poke(f"token {place} = {text}", operands=parts.token_operands(trace, int(place), token))
    except LookupError as error:
        raise NotPokable(str(error)) from None


def here(debugger: Debugger) -> Trace:
    """The episode under the cursor. Raises NotPokable where none is recorded."""
    trace = debugger.trace
    if trace is None or not len(trace):
        raise NotPokable("nothing is recorded here to change")
    return trace


def named(debugger: Debugger, text: str) -> list[int]:
    """The nodes that a name stands for at the cursor; all of them for a list. Raises NotPokable."""
    trace = here(debugger)
    if text.startswith("#"):
        try:
            return [node_named(trace, text, debugger.moment.event)]
        except NotHere as error:
            raise NotPokable(str(error)) from None
    reference = read_text(text, trace.program)
    if reference is None:
        raise NotPokable(f"“{text}” is no name that the script could have; as q[3], attn_weights, layer0.attn_wq[0][1]")
    try:
        value, is_node = nodes_of(reference, trace, debugger.moment.event)
    except NotHere as error:
        raise NotPokable(str(error)) from None
    found = list(_leaves(value)) if is_node else []
    if not found:
        raise NotPokable(f"{text} is no value of the graph at this moment")
    return found


def _leaves(value: object) -> Iterator[int]:
    if isinstance(value, list | tuple):
        for part in value:
            yield from _leaves(part)
    elif isinstance(value, int) and value >= 0:
        yield value


def rippled(debugger: Debugger) -> Ripple:
    """All pokes of the episode under the cursor together."""
    trace = here(debugger)
    changed: dict[int, float] = {}
    operands: dict[int, tuple[int, ...]] = {}
    for poke in debugger.pokes.get(trace.index, ()):
        changed.update(poke.changed)
        operands.update(poke.operands)
    return ripple(trace, changed, operation(debugger), operands)


def operation(debugger: Debugger) -> Operate | None:
    """The script's own operations, while its process can be asked; None when it is gone or runs."""
    if debugger.running or isinstance(debugger.history.stop, Killed):
        return None

    def operate(op: str, points: Sequence[Sequence[float]], plain: Sequence[float]) -> Sequence[float | None]:
        exact = tuple(int(x) if float(x).is_integer() else x for x in plain)
        try:
            return debugger.ask(messages.Operate(op, tuple(map(tuple, points)), exact), messages.Operated).values
        except Unanswered:
            return [None] * len(points)

    return operate
