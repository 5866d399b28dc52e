"""What a view does not know of an episode, and why: sentences for the screen and for headless reports alike."""

from __future__ import annotations

from collections import Counter

from microgpt_tui.protocol.codes import CONSTANT_OP, OUTSIDE_OP
from microgpt_tui.recognise.attention import attention
from microgpt_tui.recognise.residual import readings, stream
from microgpt_tui.recognise.softmax import softmaxes
from microgpt_tui.recognise.tokens import tokens
from microgpt_tui.recognise.weights import parameters
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.trace import Trace

_WITHOUT = {CONSTANT_OP, OUTSIDE_OP, "leaf"}
"""What makes nodes that have no operands."""


@derived
def of_graph(trace: Trace) -> list[str]:
    """Operations whose operands are not known."""
    starts, count = trace.child_start, len(trace.born)
    ends = [*starts[1:count], len(trace.child)]
    lost: Counter[str] = Counter()
    for row in range(count):
        if starts[row] == ends[row] and (op := trace.ops[trace.op[row]]) not in _WITHOUT:
            lost[op] += 1
    if not lost:
        return []
    total = sum(lost.values())
    names = ", ".join(name for name, _ in lost.most_common(6))
    return [
        f"operands of {total:,} of {count:,} nodes of `{trace.program.class_name}` are not known ({names}): "
        "they are in none of the attributes that its nodes were seen to keep other nodes in"
    ]


def of_attention(trace: Trace) -> list[str]:
    """Why there is no attention, and what was looked at."""
    found = attention(trace)
    if found.heads:
        return []
    rows = softmaxes(trace)
    if not len(trace.born):
        return ["no node is made in this episode"]
    if not rows:
        return [*of_graph(trace), "no softmax row (exp, their sum, each divided by it) is made in this episode"]
    sizes = ", ".join(f"{n} of {size}" for size, n in sorted(Counter(len(r.exps) for r in rows).items())[:8])
    return [
        *of_graph(trace),
        f"{len(rows)} softmax rows are made in this episode ({sizes}); in none are the scores dot products of two "
        "computed vectors, with one weight per position",
    ]


def of_tokens(trace: Trace) -> list[str]:
    """What is not known of tokens."""
    found = tokens(trace)
    if not len(trace.born):
        return ["no node is made in this episode"]
    reasons = []
    if not found.distributions:
        reasons += of_graph(trace)
        reasons.append(
            "no distribution over tokens: no softmax whose probability goes into a logarithm or a random draw, no "
            "fused cross-entropy, no output matrix with one row per token"
        )
    elif not found.positions:
        reasons.append(
            "which tokens went in is not known: no row of a matrix with one row per token is read as an embedding"
        )
    if found.size and not found.vocabulary.source:
        reasons.append(
            f"which text each of the {found.size} tokens stands for is not known: no list, text or mapping of that "
            "length among the script's values; tokens are shown as #id"
        )
    return reasons


def begun(trace: Trace) -> bool:
    """True while an episode's forward pass is still being recorded: what is not there may come."""
    return not trace.complete and trace.loss_node() < 0


def of_residual(trace: Trace, event: int) -> list[str]:
    """Why there is no residual stream at a moment: nothing where one position has it."""
    found = tokens(trace)
    if not found.distributions and begun(trace):
        return ["no position's distribution is made yet: the stream is read backwards from the logits"]
    if not found.distributions:
        return of_tokens(trace)
    made = [d for d in found.distributions if trace.born_at(d.last) <= event]
    if not made:
        return ["no position's distribution is made yet: the stream is read backwards from the logits"]
    if any(readings(trace, d) for d in made):
        return []
    if all(stream(trace, d) is None for d in made):
        return ["the logits cannot be read as one matrix times a computed vector: what stands below them is not known"]
    return [
        "no block adds to a stream: the vector that the output matrix multiplies is no sum of what was there before "
        "and of what a block made"
    ]


def of_weights(trace: Trace) -> list[str]:
    """What is not known of parameters and optimizer."""
    if not trace.program.matrices:
        return ["no parameters: no names of the script lead to nodes of the class when the first training step begins"]
    if not parameters(trace).buffers:
        return ["no numbers of an optimizer: none that follow the gradients are kept for every parameter"]
    return []


def of_training(trace: Trace) -> list[str]:
    """What is not known of the training."""
    if not trace.program.train_sites:
        return ["no training loop: no loop in which a backward pass is begun and parameters are changed"]
    return []
