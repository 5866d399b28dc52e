import math
import random

random.seed(18)
docs = ["dill", "sage", "mint", "basil", "lime", "sorrel"]
chars = sorted(set("".join(docs)))
BOS = len(chars)
V = BOS + 1


class Node:
    def __init__(self, data, inputs_=(), partials=()):
        self.data = data
        self.grad = 0.0
        self.inputs_ = inputs_
        self.partials = partials

    def __add__(self, o):
        o = o if isinstance(o, Node) else Node(o)
        return Node(self.data + o.data, (self, o), (1.0, 1.0))

    def __mul__(self, o):
        o = o if isinstance(o, Node) else Node(o)
        return Node(self.data * o.data, (self, o), (o.data, self.data))

    def __pow__(self, k):
        return Node(self.data**k, (self,), (k * self.data ** (k - 1),))

    def exp(self):
        e = math.exp(self.data)
        return Node(e, (self,), (e,))

    def log(self):
        return Node(math.log(self.data), (self,), (1 / self.data,))

    def relu(self):
        return Node(max(0.0, self.data), (self,), (float(self.data > 0),))

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self):
        return self * -1

    def __sub__(self, o):
        return self + (-o)

    def __truediv__(self, o):
        return self * o**-1


def backward(root):
    order, stack, seen = [], [(root, False)], set()
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(kid, False) for kid in node.inputs_]
    root.grad = 1.0
    for node in reversed(order):
        for kid, slope in zip(node.inputs_, node.partials):
            kid.grad += slope * node.grad

D, heads, ctx = 4, 2, 5


def table(rows, columns):
    return [[Node(random.gauss(0, 0.3)) for _ in range(columns)] for _ in range(rows)]


P = {
    "wte": table(V, D),
    "wpe": table(ctx, D),
    "wq": table(D, D),
    "wk": table(D, D),
    "wv": table(D, D),
    "wo": table(D, D),
    "up": table(2 * D, D),
    "down": table(D, 2 * D),
    "head": table(V, D),
}
params = [p for m in P.values() for row in m for p in row]


def matvec(x, w):
    return [sum(a * b for a, b in zip(row, x)) for row in w]


def softmax(z):
    top = max(v.data for v in z)
    e = [(v - top).exp() for v in z]
    total = sum(e)
    return [v / total for v in e]


def norm(x):
    s = (sum(a * a for a in x) * (1 / len(x)) + 1e-5) ** -0.5
    return [a * s for a in x]


def gpt(token, pos, keys, values):
    x = [a + b for a, b in zip(P["wte"][token], P["wpe"][pos])]
    h = norm(x)
    q = matvec(h, P["wq"])
    keys.append(matvec(h, P["wk"]))
    values.append(matvec(h, P["wv"]))
    out = []
    for head in range(heads):
        part = slice(head * D // heads, (head + 1) * D // heads)
        scores = [sum(a * b for a, b in zip(q[part], k[part])) * (D // heads) ** -0.5 for k in keys]
        pattern = softmax(scores)
        for j in range(part.start, part.stop):
            out.append(sum(a * v[j] for a, v in zip(pattern, values)))
    x = [a + b for a, b in zip(matvec(out, P["wo"]), x)]
    h = [a.relu() for a in matvec(norm(x), P["up"])]
    x = [a + b for a, b in zip(matvec(h, P["down"]), x)]
    return matvec(norm(x), P["head"])


m = [0.0] * len(params)
v = [0.0] * len(params)
for step in range(3):
    ids = [BOS] + [chars.index(c) for c in docs[step]] + [BOS]
    n = min(ctx, len(ids) - 1)
    keys, values, losses = [], [], []
    for pos in range(n):
        probs = softmax(gpt(ids[pos], pos, keys, values))
        losses.append(-probs[ids[pos + 1]].log())
    loss = sum(losses) * (1 / n)
    backward(loss)
    for i, p in enumerate(params):
        m[i] = 0.9 * m[i] + 0.1 * p.grad
        v[i] = 0.95 * v[i] + 0.05 * p.grad**2
        p.data -= 0.02 * (m[i] / (1 - 0.9 ** (step + 1))) / ((v[i] / (1 - 0.95 ** (step + 1))) ** 0.5 + 1e-8)
        p.grad = 0.0
    print("step", step, "loss %.8f" % loss.data)

for number in range(2):
    keys, values, token, word = [], [], BOS, ""
    for pos in range(ctx):
        probs = softmax([z * (1 / 0.8) for z in gpt(token, pos, keys, values)])
        token = random.choices(range(V), weights=[p.data for p in probs])[0]
        if token == BOS:
            break
        word += chars[token]
    print("sample", word)
