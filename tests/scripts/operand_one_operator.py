"""Predicts a letter from the two before it; the class has one operator only, and a name for everything else."""

import math
import random

random.seed(9)
docs = ["kiwi", "lime", "plum", "date"]
chars = ["."] + sorted(set("".join(docs)))


class Quantity:
    def __init__(self, data, came_from=(), rates=()):
        self.data, self.grad, self.came_from, self.rates = data, 0.0, came_from, rates

    def __add__(self, other):
        return Quantity(self.data + other.data, (self, other), (1.0, 1.0))

    def times(self, other):
        return Quantity(self.data * other.data, (self, other), (other.data, self.data))

    def tanh(self):
        t = math.tanh(self.data)
        return Quantity(t, (self,), (1 - t * t,))

    def exp(self):
        e = math.exp(self.data)
        return Quantity(e, (self,), (e,))

    def log(self):
        return Quantity(math.log(self.data), (self,), (1 / self.data,))

    def inverse(self):
        return Quantity(1 / self.data, (self,), (-1 / self.data**2,))

    def backward(self):
        order, seen = [], set()

        def visit(q):
            if q not in seen:
                seen.add(q)
                for c in q.came_from:
                    visit(c)
                order.append(q)

        visit(self)
        self.grad = 1.0
        for q in reversed(order):
            for c, rate in zip(q.came_from, q.rates):
                c.grad += rate * q.grad


def table(rows, columns):
    return [[Quantity(random.uniform(-0.5, 0.5)) for _ in range(columns)] for _ in range(rows)]


def total(parts):
    first, *rest = parts
    for part in rest:
        first = first + part
    return first


embedding, hidden, readout = table(len(chars), 3), table(5, 6), table(len(chars), 5)
everything = [q for t in (embedding, hidden, readout) for row in t for q in row]


def predict(a, b):
    x = embedding[a] + embedding[b]
    h = [total(w.times(u) for w, u in zip(row, x)).tanh() for row in hidden]
    exps = [total(w.times(u) for w, u in zip(row, h)).exp() for row in readout]
    share = total(exps).inverse()
    return [e.times(share) for e in exps]


for step in range(3):
    ids = [0, 0] + [chars.index(c) for c in docs[step]] + [0]
    losses = []
    for a, b, target in zip(ids, ids[1:], ids[2:]):
        probs = predict(a, b)
        losses.append(probs[target].log().times(Quantity(-1.0 / (len(ids) - 2))))
    loss = total(losses)
    loss.backward()
    for q in everything:
        q.data -= 0.3 * q.grad
        q.grad = 0.0
    print(step, loss.data)

for _ in range(2):
    a = b = 0
    word = ""
    while len(word) < 6:
        a, b = b, random.choices(range(len(chars)), [p.data for p in predict(a, b)])[0]
        if not b:
            break
        word += chars[b]
    print(word)
