"""The terms of the field in a sentence or two, as this program uses them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """One entry."""

    name: str
    meaning: str
    see: tuple[str, ...] = ()
    """Other entries that help."""


def _term(name: str, meaning: str, *see: str) -> Term:
    return Term(name, meaning, see)


TERMS: tuple[Term, ...] = (
    _term(
        "accumulate",
        "Add a contribution to a gradient (`grad += …`): a node that is used n times gets n of them.",
        "gradient",
        "contribution",
    ),
    _term(
        "activation function",
        "A curve between two linear layers (relu, silu, tanh); without one, two linear layers would be one.",
        "rectifier",
    ),
    _term(
        "Adam",
        "An optimizer that keeps two running means per weight, m of the gradient and v of its square, and "
        "moves each weight by about the learning rate times m̂ / √v̂.",
        "m̂, v̂",
        "optimizer",
    ),
    _term(
        "attention",
        "How a position gathers from earlier ones: a query is compared with the keys of all positions so far,"
        " and the values are blended in proportion.",
        "query",
        "key",
        "value vector",
        "softmax",
        "head",
    ),
    _term(
        "autograd",
        "Recording every operation so that the derivative of the result by every input can be computed afterwards.",
        "backward pass",
        "node",
    ),
    _term(
        "backward pass",
        "Walking the graph from the loss to the parameters, each node handing its operands its own gradient "
        "times the local gradient.",
        "chain rule",
        "gradient",
    ),
    _term(
        "BOS",
        "A token that stands for “a document begins (or ends) here”. Shown as · where one column is all there is.",
    ),
    _term(
        "causal mask",
        "A position may look at itself and at what came before, never ahead. With a KV cache there is nothing"
        " ahead to look at, so no mask is written.",
        "KV cache",
    ),
    _term(
        "chain rule",
        "The derivative through two steps is the product of their derivatives; over several paths the products add up.",
        "local gradient",
    ),
    _term(
        "contribution",
        "What one user of a node adds to its gradient: local gradient × upstream gradient.",
        "ledger",
    ),
    _term(
        "cosine",
        "Of the angle between two vectors: 1 the same direction, 0 at right angles, −1 opposite.",
    ),
    _term(
        "cross-entropy",
        "The loss at a position: −log of the probability of the token that really came next.",
        "loss",
    ),
    _term(
        "d (head dimension)",
        "Length of a head's query, key and value vectors; scores are divided by √d so that they do not grow with it.",
        "head",
    ),
    _term(
        "dead rectifier",
        "A unit that is zero for every input seen: no gradient goes through it, so it cannot recover by itself.",
        "rectifier",
    ),
    _term(
        "embedding",
        "A table with one row per token (or per position); the row is the vector that the model works with.",
        "residual stream",
    ),
    _term(
        "entropy",
        "How spread a distribution is, in nats: 0 when one outcome is certain, log n when n are equally likely.",
    ),
    _term(
        "episode",
        "What is recorded as one whole: the setup, one training step, or one generated sample.",
        "moment",
    ),
    _term(
        "event",
        "The smallest thing recorded: an operation made a node, a gradient was added to, a weight was "
        "changed, a token was drawn, a line was printed.",
        "moment",
    ),
    _term(
        "forward pass",
        "Computing the loss (or the logits) from the parameters and the tokens.",
    ),
    _term(
        "gradient",
        "d(loss)/d(this number): how much the loss would change, per unit, if the number did.",
        "backward pass",
    ),
    _term(
        "gradient norm",
        "Euclidean length of all of a matrix's gradients as one vector.",
    ),
    _term(
        "grouped-query attention",
        "Several query heads share one key/value head: less to keep per position.",
        "head",
        "KV cache",
    ),
    _term(
        "head",
        "One of several attentions side by side in a layer, each on its own slice of the width.",
        "attention",
    ),
    _term(
        "key",
        "The vector by which a position can be found by later queries.",
        "query",
        "attention",
    ),
    _term(
        "KV cache",
        "The keys and values of earlier positions, kept so that they need not be computed again.",
    ),
    _term(
        "ledger",
        "All contributions to a node's gradient in the order in which they came, with the running sum.",
        "contribution",
    ),
    _term(
        "linear layer",
        "A matrix times a vector: one dot product per row.",
    ),
    _term(
        "local gradient",
        "The derivative of one operation's result by one of its operands; for a × b by a it is b.",
        "chain rule",
    ),
    _term(
        "logit",
        "A number before softmax; only differences between logits count.",
        "softmax",
    ),
    _term(
        "logit lens",
        "Reading the residual stream after each block through the model's last projection, as if the model "
        "stopped there.",
        "residual stream",
    ),
    _term(
        "loss",
        "What training makes small: the mean cross-entropy over the positions.",
        "cross-entropy",
    ),
    _term(
        "moment",
        "A point in time: an episode and the last event that has happened in it.",
    ),
    _term(
        "m̂, v̂",
        "Adam's means divided by 1 − β^t, because they start at zero and are too small at first.",
        "Adam",
    ),
    _term(
        "node",
        "One number of the script's autograd class, numbered in the order of creation.",
        "autograd",
    ),
    _term(
        "optimizer",
        "The rule that changes the weights after the backward pass.",
        "Adam",
    ),
    _term(
        "perplexity",
        "e^loss: the number of equally likely tokens that would be as surprising.",
        "loss",
    ),
    _term(
        "phase",
        "Setup, forward, backward, optimizer, inference.",
    ),
    _term(
        "query",
        "The vector that says what a position looks for.",
        "key",
        "attention",
    ),
    _term(
        "rectifier",
        "An activation function that lets positive numbers through and makes the rest zero (relu).",
        "dead rectifier",
    ),
    _term(
        "residual stream",
        "The vector of a position that every block reads, and to which it adds its result.",
        "embedding",
    ),
    _term(
        "RMS norm",
        "Dividing a vector by the root of its mean square, so that its size does not matter.",
    ),
    _term(
        "score",
        "q·k, how well a query and a key agree; divided by √d it is attention's logit.",
        "query",
        "key",
    ),
    _term(
        "softmax",
        "exp of each number divided by the sum of all exps: positive, adds up to 1. The largest is subtracted"
        " first, so that exp cannot overflow.",
        "logit",
    ),
    _term(
        "stop",
        "Why the script is paused: a step, a breakpoint, a watchpoint, NaN, an exception, a pause, the end.",
    ),
    _term(
        "temperature",
        "Sampling divides the logits by it: below 1 the likely become likelier, above 1 the rare do.",
    ),
    _term(
        "tied head",
        "The token embedding is used again as the output layer.",
        "embedding",
    ),
    _term(
        "token",
        "A piece of text that the model reads and writes: here mostly one character.",
    ),
    _term(
        "top-k, top-p",
        "Sampling from the k likeliest tokens only, or from the smallest set that has probability p together.",
    ),
    _term(
        "update/weight ratio",
        "Length of a step's change of a matrix divided by the length of the matrix; about 0.001 is healthy.",
    ),
    _term(
        "upstream gradient",
        "The gradient of the node that an operation made, on its way down to the operands.",
        "contribution",
    ),
    _term(
        "value vector",
        "What a position says when attention finds it.",
        "attention",
    ),
    _term(
        "vocabulary",
        "All tokens the model knows, numbered from 0.",
        "token",
    ),
)
"""In alphabetical order, without regard to case."""


def find(word: str) -> list[Term]:
    """Entries whose name contains a word, then those whose meaning does; all of them for an empty one."""
    wanted = word.strip().lower()
    named = [t for t in TERMS if wanted in t.name.lower()]
    return named + [t for t in TERMS if t not in named and wanted in t.meaning.lower()]


def as_markdown(terms: tuple[Term, ...] | list[Term] = TERMS) -> str:
    """The entries as a Markdown list."""
    lines = ["# Glossary", ""]
    for term in terms:
        see = f" *See {', '.join(term.see)}.*" if term.see else ""
        lines += [f"- **{term.name}**: {term.meaning}{see}"]
    return "\n".join(lines) + "\n"
