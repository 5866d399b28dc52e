import math
import random

random.seed(2)
docs = ["dill", "sage", "mint", "basil", "lime", "sorrel"]
chars = sorted(set("".join(docs)))
BOS = len(chars)
V = BOS + 1


class Value:
    __slots__ = ("data", "grad", "left", "right", "dleft", "dright")

    def __init__(self, data, left=None, dleft=0.0, right=None, dright=0.0):
        self.data, self.grad = data, 0.0
        self.left, self.dleft = left, dleft
        self.right, self.dright = right, dright

    def __add__(self, o):
        o = o if isinstance(o, Value) else Value(o)
        return Value(self.data + o.data, self, 1.0, o, 1.0)

    def __mul__(self, o):
        o = o if isinstance(o, Value) else Value(o)
        return Value(self.data * o.data, self, o.data, o, self.data)

    def __pow__(self, k):
        return Value(self.data**k, self, k * self.data ** (k - 1))

    def exp(self):
        e = math.exp(self.data)
        return Value(e, self, e)

    def log(self):
        return Value(math.log(self.data), self, 1 / self.data)

    def relu(self):
        return Value(max(0.0, self.data), self, float(self.data > 0))

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self):
        return self * -1

    def __sub__(self, o):
        return self + (-o)

    def __truediv__(self, o):
        return self * o**-1

    def backward(self):
        order, seen = [], set()

        def visit(node):
            if node not in seen:
                seen.add(node)
                for kid in (k for k in (node.left, node.right) if k is not None):
                    visit(kid)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            if node.left is not None:
                node.left.grad += node.dleft * node.grad
            if node.right is not None:
                node.right.grad += node.dright * node.grad

E, H, T = 4, 2, 5


def matrix(rows, columns):
    return [[Value(random.gauss(0, 0.3)) for _ in range(columns)] for _ in range(rows)]


W = {
    "wte": matrix(V, E),
    "wpe": matrix(T, E),
    "wq": matrix(E, E),
    "wk": matrix(E, E),
    "wv": matrix(E, E),
    "wo": matrix(E, E),
    "up": matrix(2 * E, E),
    "down": matrix(E, 2 * E),
    "head": matrix(V, E),
}
params = [p for m in W.values() for row in m for p in row]


def linear(x, w):
    return [sum(a * b for a, b in zip(row, x)) for row in w]


def softmax(z):
    top = max(v.data for v in z)
    e = [(v - top).exp() for v in z]
    total = sum(e)
    return [v / total for v in e]


def norm(x):
    s = (sum(a * a for a in x) * (1 / len(x)) + 1e-5) ** -0.5
    return [a * s for a in x]


def gpt(ids):
    xs = [[a + b for a, b in zip(W["wte"][token], W["wpe"][pos])] for pos, token in enumerate(ids)]
    hs = [norm(x) for x in xs]
    q = [linear(h, W["wq"]) for h in hs]
    k = [linear(h, W["wk"]) for h in hs]
    v = [linear(h, W["wv"]) for h in hs]
    outs = [[] for _ in ids]
    for head in range(H):
        dims = range(head * E // H, (head + 1) * E // H)
        for i in range(len(ids)):
            scores = [sum(q[i][d] * k[j][d] for d in dims) * (E // H) ** -0.5 for j in range(i + 1)]
            att = softmax(scores)
            outs[i] += [sum(att[j] * v[j][d] for j in range(i + 1)) for d in dims]
    xs = [[a + b for a, b in zip(linear(out, W["wo"]), x)] for out, x in zip(outs, xs)]
    hidden = [[a.relu() for a in linear(norm(x), W["up"])] for x in xs]
    xs = [[a + b for a, b in zip(linear(h, W["down"]), x)] for h, x in zip(hidden, xs)]
    return [linear(norm(x), W["head"]) for x in xs]


m = [0.0] * len(params)
v = [0.0] * len(params)
for step in range(3):
    ids = [BOS] + [chars.index(c) for c in docs[step]] + [BOS]
    n = min(T, len(ids) - 1)
    losses = []
    for pos, logits in enumerate(gpt(ids[:n])):
        probs = softmax(logits)
        losses.append(-probs[ids[pos + 1]].log())
    loss = sum(losses) * (1 / n)
    loss.backward()
    for i, p in enumerate(params):
        m[i] = 0.9 * m[i] + 0.1 * p.grad
        v[i] = 0.95 * v[i] + 0.05 * p.grad**2
        p.data -= 0.02 * (m[i] / (1 - 0.9 ** (step + 1))) / ((v[i] / (1 - 0.95 ** (step + 1))) ** 0.5 + 1e-8)
        p.grad = 0.0
    print("step", step, "loss %.8f" % loss.data)

for number in range(2):
    ids = [BOS]
    while len(ids) < T:
        probs = softmax([z * (1 / 0.8) for z in gpt(ids)[-1]])
        token = random.choices(range(V), weights=[p.data for p in probs])[0]
        if token == BOS:
            break
        ids.append(token)
    word = "".join(chars[i] for i in ids[1:])
    print("sample", word)
