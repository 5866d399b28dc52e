"""A guided tour: the moments of a training step, and of a sample, that show what a GPT does, with their numbers.

A pure function of the trace. What a script has not is told in a sentence and passed by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from microgpt_tui.narrate import story, updates
from microgpt_tui.narrate.words import number, plural
from microgpt_tui.protocol.codes import ACCUMULATE, OPTIMIZER, PHASE_NAMES, SAMPLE
from microgpt_tui.recognise.attention import AttentionRow, attention
from microgpt_tui.recognise.operations import Role, graph_of, rows_of
from microgpt_tui.recognise.parameters import reads
from microgpt_tui.recognise.residual import stream
from microgpt_tui.recognise.tokens import Distribution, key_tokens, probability_values, tokens
from microgpt_tui.recognise.training import texts
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.names import name
from microgpt_tui.trace.place import document, episode_text
from microgpt_tui.trace.trace import Trace

FOURTH = 3
"""The position that is looked at, from 0, where the text is that long: its attention has several to choose from."""
NEURONS = (Role.RECTIFY, Role.TANH, Role.SIGMOID)
MOST_SHARES = 4
"""Shares that a sentence lists."""


@dataclass(frozen=True, slots=True)
class TourStop:
    """One moment, and what there is to see."""

    chapter: str
    text: str
    event: int = -1
    """Where to go in the episode; -1 to stay: the script has nothing of this chapter."""
    pane: str = ""
    """The pane that shows it best."""
    node: int = -1
    """The value that is spoken of; -1 for the event's own."""


CHAPTERS = ("beginning", "embedding", "attention", "MLP", "prediction", "loss", "backward", "optimizer", "sampling")


@derived
def step_tour(trace: Trace) -> tuple[TourStop, ...]:
    """The stops in a training step, or in a script without one, in order of the chapters."""
    stops = [_beginning(trace)]
    for chapter, tellers in _STEP.items():
        found = [stop for teller in tellers for stop in teller(trace)]
        stops += found or [TourStop(chapter, _missing(trace, chapter))]
    return tuple(stops)


@derived
def sample_tour(trace: Trace) -> tuple[TourStop, ...]:
    """The stops in a sample."""
    return tuple(_sampling(trace)) or (TourStop("sampling", "In this sample nothing is drawn."),)


_NOT = {
    "embedding": "no row of a matrix is looked up as the vector of a token",
    "attention": "no softmax is made of products of two computed vectors, a query and a key",
    "MLP": "no relu, tanh or sigmoid is computed",
    "prediction": "no distribution over tokens is made",
    "loss": "no backward pass begins, so no number is the one to make smaller",
    "backward": "no gradient is passed on",
    "optimizer": "no parameter is changed",
}


def _missing(trace: Trace, chapter: str) -> str:
    so_far = "" if trace.complete else " as far as it is recorded"
    return f"{_capital(chapter)}: there is none here{so_far}. {_capital(_NOT[chapter])}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# -- beginning ---------------------------------------------------------------------------------


def _beginning(trace: Trace) -> TourStop:
    about = document(trace, len(trace))
    what = f"{_capital(episode_text(trace))}" + (f", about “{about}”" if about else "")
    phases: dict[str, int] = {}
    for first, last, phase in trace.phase_spans:
        phases[PHASE_NAMES[phase]] = phases.get(PHASE_NAMES[phase], 0) + last - first + 1
    parts = ", ".join(f"{count:,} in {phase}" for phase, count in phases.items())
    made = plural(len(trace.born), "number is", "numbers are")
    text = (
        f"{what}: {made} made, each one a {trace.program.class_name}; of events there are {parts}. "
        "The tour stops at a few of them; in between you can step and look around as ever."
    )
    return TourStop("beginning", text, 0, "source")


# -- forward -----------------------------------------------------------------------------------


def _place(trace: Trace) -> int:
    """The position that is looked at, from 0."""
    return min(FOURTH, max((p.position for p in tokens(trace).positions if p.sequence == 0), default=0))


def _token(trace: Trace, token: int) -> str:
    words = tokens(trace).vocabulary
    known = words.text(token)
    return f"“{words.short(token)}”" if known is not None else f"token {token}" if token >= 0 else "an unknown token"


def _embedding(trace: Trace) -> Iterator[TourStop]:
    known = tokens(trace)
    at = next((p for p in known.positions if p.sequence == 0 and p.position == _place(trace)), None)
    embedded = reads(trace).embedded
    read = next((r for r in embedded if at is not None and r.node == at.node), None)
    if at is None or read is None:
        for first in embedded[:1]:
            matrix = trace.program.matrices[first.matrix]
            event = trace.born_at(first.node)
            text = (
                f"Row {first.row} of {matrix.name} is taken as it is: a vector of {plural(matrix.shape[1], 'number')}."
            )
            yield TourStop("embedding", f"{text} {story(trace, event).what}", event, "value")
        return
    read = next((r for r in embedded if r.node == at.node and r.row == at.token), read)
    matrix, event = trace.program.matrices[read.matrix], trace.born_at(at.node)
    length = len(known.text(at.sequence))
    text = (
        f"Position {at.position + 1} of {length} reads {_token(trace, at.token)}. Row {read.row} of {matrix.name}, "
        f"{plural(matrix.shape[1], 'number')}, stands for it. {story(trace, event).what}"
    )
    yield TourStop("embedding", text, event, "value")


def _row_looked_at(trace: Trace) -> AttentionRow | None:
    """The attention row of the position that is looked at, in the first head of the first layer."""
    rows = next(iter(attention(trace).rows.values()), [])
    return next((r for r in rows if r.query == _place(trace)), rows[-1] if rows else None)


def _attention(trace: Trace) -> Iterator[TourStop]:
    row = _row_looked_at(trace)
    if row is None:
        return
    found = attention(trace)
    event = max(trace.born_at(n) for n in row.weights)
    shares = [trace.data_at(n, event) for n in row.weights]
    best = max(range(len(shares)), key=shares.__getitem__)
    ids = key_tokens(trace, row.sequence)

    def place(column: int) -> str:
        at = row.keys[column]
        return f"position {at + 1}" + (f" ({_token(trace, ids[at])})" if at < len(ids) and ids[at] >= 0 else "")

    scored = row.logits[best]
    born = trace.born_at(scored)
    text = (
        f"Layer {row.layer + 1} of {len(found.heads)}, head {row.head + 1} of {found.heads[row.layer]}: what position "
        f"{row.query + 1} looks for, its query, is compared with the key of {plural(len(shares), 'position')} by dot "
        f"products, on line {trace.site_of(scored).line}. With {place(best)} the score is "
        f"{number(trace.data_at(scored, born))}."
    )
    yield TourStop("attention", text, born, "attention", scored)
    order = sorted(range(len(shares)), key=lambda i: -shares[i])[:MOST_SHARES]
    told = ", ".join(f"{shares[i]:.1%} of {place(i)}" for i in order)
    rest = "" if len(shares) <= MOST_SHARES else f" and the rest of {plural(len(shares) - MOST_SHARES, 'other')}"
    text = (
        f"Softmax makes shares of the scores: position {row.query + 1} takes {told}{rest}. In these shares their "
        "values are mixed to what this head says."
    )
    yield TourStop("attention", text, event, "attention", row.weights[best])


def _distribution(trace: Trace) -> Distribution | None:
    """The prediction at the position that is looked at."""
    found = tokens(trace).distributions
    here = [d for d in found if d.sequence == 0 and d.position == _place(trace)]
    return next(iter((*here, *found)), None)


def _neurons(trace: Trace) -> list[int]:
    """The results of the last activation function below the prediction that is looked at, or of the first there is."""
    graph, found = graph_of(trace), _distribution(trace)
    rows = sorted(
        r for op, role in enumerate(graph.roles) if role in NEURONS for r in rows_of(trace, op, 0, graph.done)
    )
    if found is not None:
        rows = [r for r in rows if trace.first_node + r < found.first] or rows
        rows.reverse()
    nodes = [trace.first_node + r for r in rows if trace.site[r] == trace.site[rows[0]]]
    scope = trace.scope_of(trace.born_at(nodes[0])) if nodes else -1
    outer = trace.scope_parent[scope] if scope >= 0 else -1
    while nodes and outer >= 0:  # those of one vector: made in one statement
        first, last = trace.scope_first[outer], trace.scope_end(outer)
        together = [n for n in nodes if first <= trace.born_at(n) <= last]
        if len(together) > 1:
            return sorted(together)
        outer = trace.scope_parent[outer]
    return sorted(nodes[:1])


def _mlp(trace: Trace) -> Iterator[TourStop]:
    neurons = _neurons(trace)
    if neurons:
        event = trace.born_at(neurons[-1])
        values = [trace.data_at(n, event) for n in neurons]
        if graph_of(trace).role(neurons[-1]) is Role.RECTIFY:
            what = f"{sum(v > 0 for v in values):,} of them let their number pass, the others make it 0"
        else:
            what = f"their results are between {number(min(values))} and {number(max(values))}"
        top = max(neurons, key=lambda n: abs(trace.data_at(n, event)))
        text = (
            f"{plural(len(neurons), 'neuron')}, {trace.op_name(top)} on line {trace.site_of(top).line}: {what}. The "
            f"strongest says {number(trace.data_at(top, event))}. Without such a bend two layers would be as one."
        )
        yield TourStop("MLP", text, event, "value", top)
    found = _distribution(trace)
    flow = stream(trace, found) if found is not None else None
    stage = next((s for s in reversed(flow.stages) if s.label.startswith("after MLP")), None) if flow else None
    if stage is not None and stage.added == stage.added:
        text = (
            f"What the block makes, a vector of length {number(stage.added)}, is added to the residual stream of "
            f"{plural(len(stage.nodes), 'number')}: its length is {number(stage.norm)} now."
        )
        yield TourStop("MLP", text, max(trace.born_at(n) for n in stage.nodes), "tokens")


def _prediction(trace: Trace) -> Iterator[TourStop]:
    found = _distribution(trace)
    if found is None:
        return
    nodes = found.probabilities or found.scaled
    shares = probability_values(trace, found)
    best = max(range(len(shares)), key=shares.__getitem__)
    after = f" after {_token(trace, found.token)}" if found.token >= 0 else ""
    text = (
        f"What comes{after}? The script makes a number for each of {len(shares):,} tokens, and shares of these: the "
        f"likeliest is {_token(trace, best)}, {shares[best]:.1%}."
    )
    if found.target >= 0:
        text += f" In the text it is {_token(trace, found.target)}, which gets {shares[found.target]:.1%}."
    event = max(trace.born_at(n) for n in nodes)
    yield TourStop("prediction", text, event, "tokens", nodes[found.target if found.target >= 0 else best])


def _seed(trace: Trace) -> int:
    """The write that began a backward pass: the first after the prediction that is looked at; -1 for none."""
    found = _distribution(trace)
    made = trace.born_at(found.last) if found is not None else -1
    seeds = list(trace.seeds())
    return next((row for row in seeds if trace.write_event[row] > made), seeds[0] if seeds else -1)


def _loss(trace: Trace) -> Iterator[TourStop]:
    known, found, seed = tokens(trace), _distribution(trace), _seed(trace)
    if found is not None and found.loss >= 0:
        event = trace.born_at(found.loss)
        share = probability_values(trace, found)[found.target] if found.target >= 0 else math.nan
        of = f", the logarithm of {share:.1%} with its sign turned" if share > 0 else ""
        text = (
            f"The surprise at what really came next: {number(found.loss_at(trace, event))}{of}. A sure guess that is "
            "right would make it 0."
        )
        yield TourStop("loss", text, event, "tokens", found.loss)
    if seed < 0:
        return
    loss, passes = trace.target[seed], len(list(trace.seeds()))
    event = max(0, trace.born_at(loss))
    value = number(trace.data_at(loss, event))
    text = f"The loss, {value}, is the one number that training makes smaller."
    into = sum(d.loss >= 0 for d in known.distributions)
    if passes > 1:
        text = f"The loss, {value}, is what training makes smaller; this step has {passes} of them, added up."
    elif into:
        text += f" {plural(into, 'position goes', 'positions go')} into it."
    if known.size > 1 and into and passes == 1:
        text += f" Who guesses evenly among {known.size:,} has a surprise of {number(math.log(known.size))}."
    yield TourStop("loss", text, event, "graph", loss)


# -- backward and update -------------------------------------------------------------------------


def _backward(trace: Trace) -> Iterator[TourStop]:
    seed = _seed(trace)
    if seed < 0:
        return
    begin = trace.write_event[seed]
    yield TourStop("backward", str(story(trace, begin)), begin, "graph")
    _, last, _ = next(span for span in trace.phase_spans if span[0] <= begin <= span[1])
    product = next((e for e in range(begin + 1, last + 1) if _passes_on(trace, e)), -1)
    if product >= 0:
        yield TourStop("backward", str(story(trace, product)), product, "value")
    grads = {n: trace.grad_at(n, last) for n in trace.program.kept}
    moved = [n for n, grad in grads.items() if grad]
    if moved:
        top = max(moved, key=lambda n: abs(grads[n]))
        text = (
            f"Backward is through. {len(moved):,} of {plural(len(grads), 'parameter')} have a gradient that is not 0. "
            f"The largest is {number(grads[top])}, of {name(trace, top)}: so many times as much as that number moves, "
            "the loss moves."
        )
        yield TourStop("backward", text, last, "weights", top)


def _passes_on(trace: Trace, event: int) -> bool:
    """A contribution of a product, that is not 0."""
    if trace.kind[event] != ACCUMULATE:
        return False
    row = trace.row[event]
    return trace.source[row] >= 0 and trace.op_name(trace.source[row]) == "mul" and bool(trace.delta[row])


def _optimizer(trace: Trace) -> Iterator[TourStop]:
    rows = [r for r in range(len(trace.updated)) if trace.phase_of(trace.update_event[r]) == OPTIMIZER]
    changed = [r for r in rows if trace.new[r] != trace.old[r]]
    if not changed:
        return
    row = max(changed, key=lambda r: abs(_grad(trace, r)))
    event = trace.update_event[row]
    why = updates.because(_grad(trace, row), trace.new[row] - trace.old[row])
    text = f"{story(trace, event).what} {why} So it goes with {plural(len(changed), 'parameter')} in this step."
    yield TourStop("optimizer", text, event, "weights", trace.updated[row])


def _grad(trace: Trace, row: int) -> float:
    """The gradient that an update had."""
    return trace.grad_at(trace.updated[row], trace.update_event[row] - 1)


_STEP: dict[str, tuple[Callable[[Trace], Iterator[TourStop]], ...]] = {
    "embedding": (_embedding,), "attention": (_attention,), "MLP": (_mlp,), "prediction": (_prediction,),
    "loss": (_loss,), "backward": (_backward,), "optimizer": (_optimizer,),
}  # fmt: skip


# -- sampling ------------------------------------------------------------------------------------


def _sampling(trace: Trace) -> Iterator[TourStop]:
    drawn = [e for e in trace.sample_event if trace.kind[e] == SAMPLE]
    made = [d for d in tokens(trace).distributions if d.draw is not None or d.probabilities]
    if drawn:
        yield TourStop("sampling", f"{_capital(episode_text(trace))}. {story(trace, drawn[0])}", drawn[0], "tokens")
    elif made:
        shares = probability_values(trace, made[0])
        best = max(range(len(shares)), key=shares.__getitem__)
        event = max(trace.born_at(n) for n in made[0].probabilities or made[0].scaled)
        yield TourStop("sampling", f"{_capital(episode_text(trace))}. Nothing is drawn. The likeliest token is "
                       f"{_token(trace, best)}, {shares[best]:.1%}.", event, "tokens")  # fmt: skip
    if len(trace):
        lines = [t for t in texts(trace).texts if t]
        count = plural(len(drawn), "draw")
        told = f"After {count} there stands “{lines[-1]}”." if lines else f"It is over after {count}."
        text = f"{told} Each token goes in at the next position, and the same begins again: that is all of writing."
        yield TourStop("sampling", text, len(trace) - 1, "output")
