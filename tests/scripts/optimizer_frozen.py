import math
import random

random.seed(59)
docs = ["oder", "elbe", "ebro", "lee", "dee", "rhone"]
chars = sorted(set("".join(docs)))
EDGE = len(chars)
n_tokens = EDGE + 1


class Cell:
    def __init__(self, data, deps=(), factors=()):
        self.data = data
        self.grad = 0.0
        self.deps = deps
        self.factors = factors

    def __add__(self, o):
        o = o if isinstance(o, Cell) else Cell(o)
        return Cell(self.data + o.data, (self, o), (1.0, 1.0))

    def __mul__(self, o):
        o = o if isinstance(o, Cell) else Cell(o)
        return Cell(self.data * o.data, (self, o), (o.data, self.data))

    def __pow__(self, k):
        return Cell(self.data**k, (self,), (k * self.data ** (k - 1),))

    def exp(self):
        e = math.exp(self.data)
        return Cell(e, (self,), (e,))

    def log(self):
        return Cell(math.log(self.data), (self,), (1 / self.data,))

    def relu(self):
        return Cell(max(0.0, self.data), (self,), (float(self.data > 0),))

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
                for kid in node.deps:
                    visit(kid)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            for kid, slope in zip(node.deps, node.factors):
                kid.grad += slope * node.grad

width, n_heads, window = 4, 2, 5


def matrix(rows, columns):
    return [[Cell(random.gauss(0, 0.3)) for _ in range(columns)] for _ in range(rows)]


state = {
    "wte": matrix(n_tokens, width),
    "wpe": matrix(window, width),
    "wq": matrix(width, width),
    "wk": matrix(width, width),
    "wv": matrix(width, width),
    "wo": matrix(width, width),
    "up": matrix(2 * width, width),
    "down": matrix(width, 2 * width),
    "head": matrix(n_tokens, width),
}
theta = [p for name, m in state.items() if name != "wpe" for row in m for p in row]


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


def net(token, pos, keys, values):
    x = [a + b for a, b in zip(state["wte"][token], state["wpe"][pos])]
    h = norm(x)
    q = linear(h, state["wq"])
    keys.append(linear(h, state["wk"]))
    values.append(linear(h, state["wv"]))
    out = []
    for head in range(n_heads):
        part = slice(head * width // n_heads, (head + 1) * width // n_heads)
        scores = [sum(a * b for a, b in zip(q[part], k[part])) * (width // n_heads) ** -0.5 for k in keys]
        att = softmax(scores)
        for j in range(part.start, part.stop):
            out.append(sum(a * v[j] for a, v in zip(att, values)))
    x = [a + b for a, b in zip(linear(out, state["wo"]), x)]
    h = [a.relu() for a in linear(norm(x), state["up"])]
    x = [a + b for a, b in zip(linear(h, state["down"]), x)]
    return linear(norm(x), state["head"])


m = [0.0] * len(theta)
v = [0.0] * len(theta)
for step in range(3):
    ids = [EDGE] + [chars.index(c) for c in docs[step]] + [EDGE]
    n = min(window, len(ids) - 1)
    keys, values, losses = [], [], []
    for pos in range(n):
        probs = softmax(net(ids[pos], pos, keys, values))
        losses.append(-probs[ids[pos + 1]].log())
    loss = sum(losses) * (1 / n)
    loss.backward()
    for i, p in enumerate(theta):
        m[i] = 0.9 * m[i] + 0.1 * p.grad
        v[i] = 0.95 * v[i] + 0.05 * p.grad**2
        p.data -= 0.02 * (m[i] / (1 - 0.9 ** (step + 1))) / ((v[i] / (1 - 0.95 ** (step + 1))) ** 0.5 + 1e-8)
        p.grad = 0.0
    print("step", step, "loss %.8f" % loss.data)

for number in range(2):
    keys, values, token, word = [], [], EDGE, ""
    for pos in range(window):
        probs = softmax([z * (1 / 0.8) for z in net(token, pos, keys, values)])
        token = random.choices(range(n_tokens), weights=[p.data for p in probs])[0]
        if token == EDGE:
            break
        word += chars[token]
    print("sample", word)
