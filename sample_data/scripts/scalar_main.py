#!/usr/bin/env python3
"""The same idea with everything in functions: nothing happens until main() is called.

The optimizer is gradient descent with momentum; gradients are clipped to a largest norm.
"""

import math
import random
from pathlib import Path


class Scalar:
    """A number in a computation graph."""

    def __init__(self, data, parents=(), locals_=()):
        self.data = data
        self.grad = 0.0
        self._parents = parents
        self._locals = locals_

    def __add__(self, other):
        other = as_scalar(other)
        return Scalar(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        other = as_scalar(other)
        return Scalar(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, n):
        return Scalar(self.data**n, (self,), (n * self.data ** (n - 1),))

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + (-as_scalar(other))

    def __truediv__(self, other):
        if isinstance(other, Scalar):
            return self * other**-1.0
        return self * (1.0 / other)

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def exp(self):
        e = math.exp(self.data)
        return Scalar(e, (self,), (e,))

    def log(self):
        return Scalar(math.log(self.data), (self,), (1.0 / self.data,))

    def relu(self):
        return Scalar(self.data, (self,), (1.0,)) if self.data > 0 else Scalar(0.0, (self,), (0.0,))

    def backward(self):
        order = []
        seen = set()

        def walk(s):
            if id(s) in seen:
                return
            seen.add(id(s))
            for parent in s._parents:
                walk(parent)
            order.append(s)

        walk(self)
        self.grad = 1.0
        for s in reversed(order):
            for parent, local in zip(s._parents, s._locals):
                parent.grad += local * s.grad


def as_scalar(x):
    return x if isinstance(x, Scalar) else Scalar(float(x))


CONFIG = {
    "n_embd": 8,
    "n_head": 2,
    "n_layer": 1,
    "block_size": 8,
    "steps": 20,
    "lr": 0.3,
    "momentum": 0.8,
    "max_norm": 1.0,
    "top_k": 8,
    "temperature": 0.8,
}


def load_docs():
    path = Path("input.txt")
    if not path.exists():
        path = Path(__file__).resolve().parent.parent / "names.txt"
    docs = path.read_text().split()
    random.shuffle(docs)
    return docs


def build_vocab(docs):
    letters = sorted(set("".join(docs)))
    encode = {ch: i for i, ch in enumerate(letters)}
    return letters, encode, len(letters)


def init_model(vocab_size, cfg):
    def mat(rows, cols, std=0.2):
        return [[Scalar(random.gauss(0, std)) for _ in range(cols)] for _ in range(rows)]

    d = cfg["n_embd"]
    model = {"tok": mat(vocab_size, d), "pos": mat(cfg["block_size"], d)}
    for layer in range(cfg["n_layer"]):
        model[f"{layer}.q"] = mat(d, d)
        model[f"{layer}.k"] = mat(d, d)
        model[f"{layer}.v"] = mat(d, d)
        model[f"{layer}.o"] = mat(d, d)
        model[f"{layer}.up"] = mat(2 * d, d)
        model[f"{layer}.down"] = mat(d, 2 * d)
    model["out"] = mat(vocab_size, d)
    return model


def all_params(model):
    return [p for mat in model.values() for row in mat for p in row]


def matvec(mat, x):
    return [sum(w * xi for w, xi in zip(row, x)) for row in mat]


def normalize(x):
    mean_sq = sum(xi * xi for xi in x) / len(x)
    inv = (mean_sq + 1e-5) ** -0.5
    return [xi * inv for xi in x]


def softmax(xs):
    hi = max(x.data for x in xs)
    exps = [(x - hi).exp() for x in xs]
    inv = sum(exps) ** -1
    return [e * inv for e in exps]


def forward(model, cfg, token, pos, cache):
    d_head = cfg["n_embd"] // cfg["n_head"]
    x = [a + b for a, b in zip(model["tok"][token], model["pos"][pos])]
    for layer in range(cfg["n_layer"]):
        h = normalize(x)
        query = matvec(model[f"{layer}.q"], h)
        cache[layer].append((matvec(model[f"{layer}.k"], h), matvec(model[f"{layer}.v"], h)))
        mixed = []
        for head in range(cfg["n_head"]):
            lo, hi = head * d_head, (head + 1) * d_head
            scores = [
                sum(a * b for a, b in zip(query[lo:hi], key[lo:hi])) / math.sqrt(d_head)
                for key, _ in cache[layer]
            ]
            pattern = softmax(scores)
            for j in range(lo, hi):
                mixed.append(sum(w * val[j] for w, (_, val) in zip(pattern, cache[layer])))
        x = [a + b for a, b in zip(x, matvec(model[f"{layer}.o"], mixed))]
        h = [u.relu() for u in matvec(model[f"{layer}.up"], normalize(x))]
        x = [a + b for a, b in zip(x, matvec(model[f"{layer}.down"], h))]
    return matvec(model["out"], x)


def document_loss(model, cfg, tokens):
    cache = [[] for _ in range(cfg["n_layer"])]
    count = min(cfg["block_size"], len(tokens) - 1)
    total = Scalar(0.0)
    for pos in range(count):
        predicted = softmax(forward(model, cfg, tokens[pos], pos, cache))
        total = total - predicted[tokens[pos + 1]].log()
    return total / count


def clip(params, max_norm):
    norm = math.sqrt(sum(p.grad * p.grad for p in params))
    if norm > max_norm:
        for p in params:
            p.grad *= max_norm / norm
    return norm


def train_step(model, params, velocity, tokens, cfg):
    for p in params:
        p.grad = 0.0
    loss = document_loss(model, cfg, tokens)
    loss.backward()
    norm = clip(params, cfg["max_norm"])
    for i, p in enumerate(params):
        velocity[i] = cfg["momentum"] * velocity[i] + p.grad
        p.data -= cfg["lr"] * velocity[i]
    return loss.data, norm


def pick_top_k(logits, k, temperature):
    """Draw one of the k best tokens by walking up the cumulative probabilities."""
    ranked = sorted(range(len(logits)), key=lambda t: logits[t].data, reverse=True)[:k]
    best = logits[ranked[0]].data
    weights = [math.exp((logits[t].data - best) / temperature) for t in ranked]
    r = random.random() * sum(weights)
    running = 0.0
    for t, w in zip(ranked, weights):
        running += w
        if r < running:
            return t
    return ranked[-1]


def generate(model, cfg, letters, end):
    cache = [[] for _ in range(cfg["n_layer"])]
    token, text = end, ""
    for pos in range(cfg["block_size"]):
        logits = forward(model, cfg, token, pos, cache)
        token = pick_top_k(logits, cfg["top_k"], cfg["temperature"])
        if token == end:
            break
        text += letters[token]
    return text


def main():
    random.seed(7)
    docs = load_docs()
    letters, encode, end = build_vocab(docs)
    model = init_model(len(letters) + 1, CONFIG)
    params = all_params(model)
    velocity = [0.0 for _ in params]
    print(f"{len(docs)} words, {len(params)} parameters")
    for step in range(CONFIG["steps"]):
        word = docs[step % len(docs)]
        tokens = [end, *(encode[ch] for ch in word), end]
        loss, norm = train_step(model, params, velocity, tokens, CONFIG)
        print(f"{step:3d}  loss {loss:.4f}  |g| {norm:.3f}  {word}")
    for _ in range(5):
        print(">", generate(model, CONFIG, letters, end))


if __name__ == "__main__":
    main()
