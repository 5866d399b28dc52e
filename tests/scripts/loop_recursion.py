import math
import random

random.seed(64)
docs = ["ant", "bee", "cat", "eel", "emu", "bat", "tern"]
letters = sorted(set("".join(docs)))
BOS = len(letters)
V = BOS + 1


class Var:
    def __init__(self, data, ops=(), jac=()):
        self.data = data
        self.grad = 0.0
        self.ops = ops
        self.jac = jac

    def __add__(self, o):
        o = o if isinstance(o, Var) else Var(o)
        return Var(self.data + o.data, (self, o), (1.0, 1.0))

    def __mul__(self, o):
        o = o if isinstance(o, Var) else Var(o)
        return Var(self.data * o.data, (self, o), (o.data, self.data))

    def __pow__(self, k):
        return Var(self.data**k, (self,), (k * self.data ** (k - 1),))

    def exp(self):
        e = math.exp(self.data)
        return Var(e, (self,), (e,))

    def log(self):
        return Var(math.log(self.data), (self,), (1 / self.data,))

    def relu(self):
        return Var(max(0.0, self.data), (self,), (float(self.data > 0),))

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
                for kid in node.ops:
                    visit(kid)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            for kid, slope in zip(node.ops, node.jac):
                kid.grad += slope * node.grad

E, H, T = 4, 2, 5


def mat(rows, columns):
    return [[Var(random.gauss(0, 0.3)) for _ in range(columns)] for _ in range(rows)]


weights = {
    "wte": mat(V, E),
    "wpe": mat(T, E),
    "wq": mat(E, E),
    "wk": mat(E, E),
    "wv": mat(E, E),
    "wo": mat(E, E),
    "up": mat(2 * E, E),
    "down": mat(E, 2 * E),
    "head": mat(V, E),
}
params = [p for m in weights.values() for row in m for p in row]


def linear(x, w):
    return [sum(a * b for a, b in zip(row, x)) for row in w]


def normalise(z):
    top = max(v.data for v in z)
    e = [(v - top).exp() for v in z]
    total = sum(e)
    return [v / total for v in e]


def scale_down(x):
    s = (sum(a * a for a in x) * (1 / len(x)) + 1e-5) ** -0.5
    return [a * s for a in x]


def gpt(token, pos, keys, values):
    x = [a + b for a, b in zip(weights["wte"][token], weights["wpe"][pos])]
    h = scale_down(x)
    q = linear(h, weights["wq"])
    keys.append(linear(h, weights["wk"]))
    values.append(linear(h, weights["wv"]))
    out = []
    for head in range(H):
        part = slice(head * E // H, (head + 1) * E // H)
        scores = [sum(a * b for a, b in zip(q[part], k[part])) * (E // H) ** -0.5 for k in keys]
        att = normalise(scores)
        for j in range(part.start, part.stop):
            out.append(sum(a * v[j] for a, v in zip(att, values)))
    x = [a + b for a, b in zip(linear(out, weights["wo"]), x)]
    h = [a.relu() for a in linear(scale_down(x), weights["up"])]
    x = [a + b for a, b in zip(linear(h, weights["down"]), x)]
    return linear(scale_down(x), weights["head"])


m = [0.0] * len(params)
v = [0.0] * len(params)
def lesson(step):
    ids = [BOS] + [letters.index(c) for c in docs[step]] + [BOS]
    n = min(T, len(ids) - 1)
    keys, values, costs = [], [], []
    for pos in range(n):
        pred = normalise(gpt(ids[pos], pos, keys, values))
        costs.append(-pred[ids[pos + 1]].log())
    loss = sum(costs) * (1 / n)
    loss.backward()
    for i, p in enumerate(params):
        m[i] = 0.9 * m[i] + 0.1 * p.grad
        v[i] = 0.95 * v[i] + 0.05 * p.grad**2
        p.data -= 0.02 * (m[i] / (1 - 0.9 ** (step + 1))) / ((v[i] / (1 - 0.95 ** (step + 1))) ** 0.5 + 1e-8)
        p.grad = 0.0
    print("step", step, "loss %.8f" % loss.data)
    if step + 1 < 3:
        lesson(step + 1)


lesson(0)

for number in range(2):
    keys, values, token, word = [], [], BOS, ""
    for pos in range(T):
        pred = normalise([z * (1 / 0.8) for z in gpt(token, pos, keys, values)])
        token = random.choices(range(V), weights=[p.data for p in pred])[0]
        if token == BOS:
            break
        word += letters[token]
    print("sample", word)
