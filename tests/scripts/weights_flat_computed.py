import math
import random

random.seed(31)
docs = ["elm", "oak", "yew", "pine", "teak"]
chars = sorted(set("".join(docs)))
BOS = len(chars)
V = BOS + 1


class Scalar:
    def __init__(self, data, parents=(), slopes=()):
        self.data = data
        self.grad = 0.0
        self.parents = parents
        self.slopes = slopes

    def __add__(self, o):
        o = o if isinstance(o, Scalar) else Scalar(o)
        return Scalar(self.data + o.data, (self, o), (1.0, 1.0))

    def __mul__(self, o):
        o = o if isinstance(o, Scalar) else Scalar(o)
        return Scalar(self.data * o.data, (self, o), (o.data, self.data))

    def __pow__(self, k):
        return Scalar(self.data**k, (self,), (k * self.data ** (k - 1),))

    def exp(self):
        e = math.exp(self.data)
        return Scalar(e, (self,), (e,))

    def log(self):
        return Scalar(math.log(self.data), (self,), (1 / self.data,))

    def relu(self):
        return Scalar(max(0.0, self.data), (self,), (float(self.data > 0),))

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
                for kid in node.parents:
                    visit(kid)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            for kid, slope in zip(node.parents, node.slopes):
                kid.grad += slope * node.grad

E, H, T = 4, 2, 5
SIZES = [("pos", T * E), ("tok", V * E), ("q", E * E), ("k", E * E), ("v", E * E), ("o", E * E)]
SIZES += [("up", 2 * E * E), ("down", 2 * E * E), ("out", V * E)]
AT, total = {}, 0
for part, size in SIZES:
    AT[part] = total
    total += size
theta = [Scalar(random.gauss(0, 0.3)) for _ in range(total)]


def project(x, at, outer):
    inner = len(x)
    y = []
    for r in range(outer):
        s = None
        for c in range(inner):
            term = x[c] * theta[at + r * inner + c]
            s = term if s is None else s + term
        y.append(s)
    return y


def soften(z):
    top = max(v.data for v in z)
    e = [(v - top).exp() for v in z]
    total = sum(e)
    return [v / total for v in e]


def rms(x):
    s = (sum(a * a for a in x) * (1 / len(x)) + 1e-5) ** -0.5
    return [a * s for a in x]


def model(token, pos, keys, values):
    x = [theta[AT["tok"] + token * E + d] + theta[AT["pos"] + pos * E + d] for d in range(E)]
    h = rms(x)
    q = project(h, AT["q"], E)
    keys.append(project(h, AT["k"], E))
    values.append(project(h, AT["v"], E))
    mixed = []
    for head in range(H):
        dims = range(head * E // H, (head + 1) * E // H)
        scores = [sum(q[d] * key[d] for d in dims) * (E // H) ** -0.5 for key in keys]
        att = soften(scores)
        mixed += [sum(w * value[d] for w, value in zip(att, values)) for d in dims]
    x = [a + b for a, b in zip(project(mixed, AT["o"], E), x)]
    hidden = [a.relu() for a in project(rms(x), AT["up"], 2 * E)]
    x = [a + b for a, b in zip(project(hidden, AT["down"], E), x)]
    return project(rms(x), AT["out"], V)


m = [0.0] * len(theta)
v = [0.0] * len(theta)
for step in range(3):
    ids = [BOS] + [chars.index(c) for c in docs[step]] + [BOS]
    n = min(T, len(ids) - 1)
    losses = []
    keys, values = [], []
    for pos in range(n):
        probs = soften(model(ids[pos], pos, keys, values))
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
    ids, keys, values = [BOS], [], []
    while len(ids) < T:
        logits = model(ids[-1], len(ids) - 1, keys, values)
        probs = soften([z * (1 / 0.8) for z in logits])
        token = random.choices(range(V), weights=[p.data for p in probs])[0]
        if token == BOS:
            break
        ids.append(token)
    word = "".join(chars[i] for i in ids[1:])
    print("sample", word)
