import math
import random

random.seed(70)
docs = ["oboe", "lute", "tuba", "bell", "bugle"]
chars = sorted(set("".join(docs)))
BOS = len(chars)
V = BOS + 1


class Value:
    def __init__(self, data, kids=(), local=()):
        self.data = data
        self.grad = 0.0
        self.kids = kids
        self.local = local

    def __add__(self, o):
        o = o if isinstance(o, Value) else Value(o)
        return Value(self.data + o.data, (self, o), (1.0, 1.0))

    def __mul__(self, o):
        o = o if isinstance(o, Value) else Value(o)
        return Value(self.data * o.data, (self, o), (o.data, self.data))

    def __pow__(self, k):
        return Value(self.data**k, (self,), (k * self.data ** (k - 1),))

    def exp(self):
        e = math.exp(self.data)
        return Value(e, (self,), (e,))

    def log(self):
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def relu(self):
        return Value(max(0.0, self.data), (self,), (float(self.data > 0),))

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
                for kid in node.kids:
                    visit(kid)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            for kid, slope in zip(node.kids, node.local):
                kid.grad += slope * node.grad

E, H, T = 4, 2, 4


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


def gpt(token, pos, keys, values):
    x = [a + b for a, b in zip(W["wte"][token], W["wpe"][pos])]
    h = norm(x)
    q = linear(h, W["wq"])
    keys.append(linear(h, W["wk"]))
    values.append(linear(h, W["wv"]))
    out = []
    for head in range(H):
        part = slice(head * E // H, (head + 1) * E // H)
        scores = [sum(a * b for a, b in zip(q[part], k[part])) * (E // H) ** -0.5 for k in keys]
        att = softmax(scores)
        for j in range(part.start, part.stop):
            out.append(sum(a * v[j] for a, v in zip(att, values)))
    x = [a + b for a, b in zip(linear(out, W["wo"]), x)]
    h = [a.relu() for a in linear(norm(x), W["up"])]
    x = [a + b for a, b in zip(linear(h, W["down"]), x)]
    return linear(norm(x), W["head"])


m = [0.0] * len(params)
v = [0.0] * len(params)
for step in range(3):
    ids = [BOS] + [chars.index(c) for c in docs[step]] + [BOS]
    n = min(T, len(ids) - 1)
    keys, values, losses = [], [], []
    for pos in range(n):
        probs = softmax(gpt(ids[pos], pos, keys, values))
        losses.append(-probs[ids[pos + 1]].log())
    loss = sum(losses) * (1 / n)
    loss.backward()
    for i, p in enumerate(params):
        m[i] = 0.9 * m[i] + 0.1 * p.grad
        v[i] = 0.95 * v[i] + 0.05 * p.grad**2
        p.data -= 0.02 * (m[i] / (1 - 0.9 ** (step + 1))) / ((v[i] / (1 - 0.95 ** (step + 1))) ** 0.5 + 1e-8)
        p.grad = 0.0
    held = 0.0
    for text in docs:
        code = [BOS] + [chars.index(c) for c in text] + [BOS]
        ks, vs = [], []
        for pos in range(min(T, len(code) - 1)):
            held -= math.log(softmax(gpt(code[pos], pos, ks, vs))[code[pos + 1]].data)
    print("step", step, "loss %.8f" % loss.data, "all %.8f" % held)

for number in range(2):
    keys, values, token, word = [], [], BOS, ""
    for pos in range(T):
        probs = softmax([z * (1 / 0.8) for z in gpt(token, pos, keys, values)])
        token = random.choices(range(V), weights=[p.data for p in probs])[0]
        if token == BOS:
            break
        word += chars[token]
    print("sample", word)
