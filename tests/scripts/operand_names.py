import math
import random

random.seed(4)
docs = ["pear", "lime", "fig", "date", "plum", "peach"]
chars = sorted(set("".join(docs)))
BOS = len(chars)
V = BOS + 1


class Node:
    def __init__(self, data, how=()):
        self.data = data
        self.grad = 0.0
        self.how = how

    def __add__(self, o):
        o = o if isinstance(o, Node) else Node(o)
        return Node(self.data + o.data, ("+", self, o))

    def __mul__(self, o):
        o = o if isinstance(o, Node) else Node(o)
        return Node(self.data * o.data, ("*", self, o))

    def __pow__(self, k):
        return Node(self.data**k, ("**", self, k))

    def exp(self):
        return Node(math.exp(self.data), ("exp", self))

    def log(self):
        return Node(math.log(self.data), ("log", self))

    def relu(self):
        return Node(max(0.0, self.data), ("relu", self))

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
                for kid in [part for part in node.how if isinstance(part, Node)]:
                    visit(kid)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            if not node.how:
                continue
            name, a, g = node.how[0], node.how[1], node.grad
            if name == "+":
                a.grad += g
                node.how[2].grad += g
            elif name == "*":
                b = node.how[2]
                a.grad += b.data * g
                b.grad += a.data * g
            elif name == "**":
                k = node.how[2]
                a.grad += k * a.data ** (k - 1) * g
            elif name == "exp":
                a.grad += node.data * g
            elif name == "log":
                a.grad += g / a.data
            else:
                a.grad += (a.data > 0) * g

D, heads, ctx = 6, 2, 5


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


def gpt(ids):
    xs = [[a + b for a, b in zip(P["wte"][token], P["wpe"][pos])] for pos, token in enumerate(ids)]
    hs = [norm(x) for x in xs]
    q = [matvec(h, P["wq"]) for h in hs]
    k = [matvec(h, P["wk"]) for h in hs]
    v = [matvec(h, P["wv"]) for h in hs]
    outs = [[] for _ in ids]
    for head in range(heads):
        dims = range(head * D // heads, (head + 1) * D // heads)
        for i in range(len(ids)):
            scores = [sum(q[i][d] * k[j][d] for d in dims) * (D // heads) ** -0.5 for j in range(i + 1)]
            pattern = softmax(scores)
            outs[i] += [sum(pattern[j] * v[j][d] for j in range(i + 1)) for d in dims]
    xs = [[a + b for a, b in zip(matvec(out, P["wo"]), x)] for out, x in zip(outs, xs)]
    hidden = [[a.relu() for a in matvec(norm(x), P["up"])] for x in xs]
    xs = [[a + b for a, b in zip(matvec(h, P["down"]), x)] for h, x in zip(hidden, xs)]
    return [matvec(norm(x), P["head"]) for x in xs]


m = [0.0] * len(params)
v = [0.0] * len(params)
for step in range(3):
    ids = [BOS] + [chars.index(c) for c in docs[step]] + [BOS]
    n = min(ctx, len(ids) - 1)
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
    while len(ids) < ctx:
        probs = softmax([z * (1 / 0.8) for z in gpt(ids)[-1]])
        token = random.choices(range(V), weights=[p.data for p in probs])[0]
        if token == BOS:
            break
        ids.append(token)
    word = "".join(chars[i] for i in ids[1:])
    print("sample", word)
