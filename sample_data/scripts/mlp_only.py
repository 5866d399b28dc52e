"""No attention at all: a bigram model with one hidden layer, on the engine in engine_tiny.py."""

import os
import random

from engine_tiny import Var

random.seed(5)
n_embd = 6
n_hidden = 10
batch_size = 3
num_steps = 15
learning_rate = 1.0

corpus = "input.txt"
if not os.path.exists(corpus):
    corpus = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "names.txt")
words = open(corpus).read().split()
random.shuffle(words)
chars = ["."] + sorted(set("".join(words)))
index = {ch: i for i, ch in enumerate(chars)}


def grid(rows, cols, std):
    return [[Var(random.gauss(0, std)) for _ in range(cols)] for _ in range(rows)]


embedding = grid(len(chars), n_embd, 1.0)
W1 = grid(n_hidden, n_embd, 0.4)
b1 = [Var(0.0) for _ in range(n_hidden)]
W2 = grid(len(chars), n_hidden, 0.3)
b2 = [Var(0.0) for _ in range(len(chars))]
params = [p for mat in (embedding, W1, W2) for row in mat for p in row] + b1 + b2


def layer(w, b, x):
    return [sum((wi * xi for wi, xi in zip(row, x)), bias) for row, bias in zip(w, b)]


def next_probs(token):
    hidden = [h.tanh() for h in layer(W1, b1, embedding[token])]
    logits = layer(W2, b2, hidden)
    highest = max(z.data for z in logits)
    exps = [(z - highest).exp() for z in logits]
    scale = sum(exps).reciprocal()
    return [e * scale for e in exps]


def batch_loss(batch):
    terms = []
    for word in batch:
        path = [0] + [index[ch] for ch in word] + [0]
        for here, there in zip(path, path[1:]):
            terms.append(-next_probs(here)[there].log())
    return sum(terms) * (1 / len(terms))


print(f"{len(words)} words, {len(chars)} characters, {len(params)} parameters")
for step in range(num_steps):
    batch = words[step * batch_size : (step + 1) * batch_size]
    loss = batch_loss(batch)
    loss.backward()
    for p in params:
        p.data -= learning_rate * p.grad
        p.grad = 0.0
    print(f"step {step + 1:2d} loss {loss.data:.4f}")

for _ in range(4):
    token, out = 0, []
    while len(out) < 12:
        probs = next_probs(token)
        token = random.choices(range(len(chars)), weights=[p.data for p in probs])[0]
        if token == 0:
            break
        out.append(chars[token])
    print("".join(out))
