"""Whole-sequence training: all positions of a document go through the model together.

Attention weights are full T x T tables with the future masked, the loss is one fused operation
per position (no probabilities are ever built), the optimizer is AdamW, and text is continued
greedily from a given first letter.
"""

import math
import os
import random

random.seed(99)
n_embd = 8
n_head = 2
n_layer = 2
block_size = 8
num_steps = 12
learning_rate = 0.02
weight_decay = 0.01
beta1, beta2, eps = 0.9, 0.98, 1e-8
head_dim = n_embd // n_head
MASKED = -1e9

source = "input.txt"
if not os.path.isfile(source):
    source = os.path.join(os.path.dirname(os.path.realpath(__file__)), os.pardir, "names.txt")
with open(source) as handle:
    docs = handle.read().split()
random.shuffle(docs)
vocab = ["<|>"] + sorted({ch for doc in docs for ch in doc})
ids = {ch: i for i, ch in enumerate(vocab)}


class Value:
    __slots__ = ("data", "grad", "_children", "_local_grads")

    def __init__(self, data, children=(), local_grads=()):
        self.data = data
        self.grad = 0.0
        self._children = children
        self._local_grads = local_grads

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __sub__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data - other.data, (self, other), (1.0, -1.0))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __truediv__(self, other):
        return self * other**-1

    def __pow__(self, k):
        return Value(self.data**k, (self,), (k * self.data ** (k - 1),))

    def exp(self):
        e = math.exp(self.data)
        return Value(e, (self,), (e,))

    def relu(self):
        return Value(max(0.0, self.data), (self,), (float(self.data > 0),))

    __radd__ = __add__
    __rmul__ = __mul__

    def backward(self):
        topo = []
        visited = set()

        def build(v):
            if v not in visited:
                visited.add(v)
                for c in v._children:
                    build(c)
                topo.append(v)

        build(self)
        self.grad = 1.0
        for v in reversed(topo):
            for c, g in zip(v._children, v._local_grads):
                c.grad += g * v.grad


def cross_entropy(logits, target):
    """-log softmax(logits)[target] as one node: its slope in logit i is p_i - [i == target]."""
    top = max(z.data for z in logits)
    exps = [math.exp(z.data - top) for z in logits]
    total = sum(exps)
    slopes = tuple(e / total - (i == target) for i, e in enumerate(exps))
    return Value(math.log(total) + top - logits[target].data, tuple(logits), slopes)


def rand(rows, cols):
    return [[Value(random.gauss(0, 0.2)) for _ in range(cols)] for _ in range(rows)]


def matmul(xs, w):
    """Each row of `xs` through the rows of `w`."""
    return [[sum(a * b for a, b in zip(x, row)) for row in w] for x in xs]


def add(xs, ys):
    return [[a + b for a, b in zip(x, y)] for x, y in zip(xs, ys)]


def rmsnorm(xs):
    out = []
    for x in xs:
        scale = (sum(a * a for a in x) / len(x) + 1e-5) ** -0.5
        out.append([a * scale for a in x])
    return out


def softmax_rows(table):
    out = []
    for row in table:
        top = max(z.data for z in row)
        exps = [(z - top).exp() for z in row]
        inverse = sum(exps) ** -1
        out.append([e * inverse for e in exps])
    return out


wte, wpe = rand(len(vocab), n_embd), rand(block_size, n_embd)
layers = [
    {
        "wq": rand(n_embd, n_embd),
        "wk": rand(n_embd, n_embd),
        "wv": rand(n_embd, n_embd),
        "wo": rand(n_embd, n_embd),
        "fc1": rand(2 * n_embd, n_embd),
        "fc2": rand(n_embd, 2 * n_embd),
    }
    for _ in range(n_layer)
]
head = rand(len(vocab), n_embd)
params = [p for mat in (wte, wpe, head) for row in mat for p in row]
params += [p for layer in layers for mat in layer.values() for row in mat for p in row]


def causal_attention(xs, layer):
    T = len(xs)
    Q, K, V = (matmul(xs, layer[name]) for name in ("wq", "wk", "wv"))
    merged = [[] for _ in range(T)]
    for h in range(n_head):
        cols = range(h * head_dim, (h + 1) * head_dim)
        scores = [
            [
                sum(Q[i][c] * K[j][c] for c in cols) * head_dim**-0.5 if j <= i else Value(MASKED)
                for j in range(T)
            ]
            for i in range(T)
        ]
        weights = softmax_rows(scores)
        for i in range(T):
            merged[i] += [sum(weights[i][j] * V[j][c] for j in range(T)) for c in cols]
    return matmul(merged, layer["wo"])


def forward(tokens):
    xs = [[a + b for a, b in zip(wte[t], wpe[i])] for i, t in enumerate(tokens)]
    for layer in layers:
        xs = add(xs, causal_attention(rmsnorm(xs), layer))
        hidden = [[a.relu() for a in row] for row in matmul(rmsnorm(xs), layer["fc1"])]
        xs = add(xs, matmul(hidden, layer["fc2"]))
    return matmul(rmsnorm(xs), head)


exp_avg = [0.0 for _ in params]
exp_avg_sq = [0.0 for _ in params]
for step in range(num_steps):
    seq = [0] + [ids[ch] for ch in docs[step]] + [0]
    seq = seq[: block_size + 1]
    logits = forward(seq[:-1])
    loss = sum(cross_entropy(row, t) for row, t in zip(logits, seq[1:])) * (1 / (len(seq) - 1))
    for p in params:
        p.grad = 0.0
    loss.backward()
    for i, p in enumerate(params):
        exp_avg[i] = beta1 * exp_avg[i] + (1 - beta1) * p.grad
        exp_avg_sq[i] = beta2 * exp_avg_sq[i] + (1 - beta2) * p.grad * p.grad
        mean = exp_avg[i] / (1 - beta1 ** (step + 1))
        var = exp_avg_sq[i] / (1 - beta2 ** (step + 1))
        p.data *= 1 - learning_rate * weight_decay
        p.data -= learning_rate * mean / (math.sqrt(var) + eps)
    print(f"[{step + 1:2d}/{num_steps}] loss={loss.data:.5f}")

for start in "aem":
    seq = [0, ids[start]]
    while len(seq) < block_size:
        last = forward(seq)[-1]
        best = max(range(len(vocab)), key=lambda t: last[t].data)
        if best == 0:
            break
        seq.append(best)
    print(start, "->", "".join(vocab[t] for t in seq[1:]))
