import math
import random

random.seed(10)
docs = ["dill", "sage", "mint", "basil", "lime", "sorrel"]
chars = sorted(set("".join(docs)))
BOS = len(chars)
V = BOS + 1

class Value:
    def __init__(self, data, kids=(), local=()):
        self.data, self.grad, self.kids, self.local = data, 0.0, kids, local

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


def lift(o):
    return o if isinstance(o, Value) else Value(o)


def add(a, b):
    a, b = lift(a), lift(b)
    return Value(a.data + b.data, (a, b), (1.0, 1.0))


def mul(a, b):
    a, b = lift(a), lift(b)
    return Value(a.data * b.data, (a, b), (b.data, a.data))


def power(a, k):
    return Value(a.data**k, (a,), (k * a.data ** (k - 1),))


def exp(a):
    e = math.exp(a.data)
    return Value(e, (a,), (e,))


def log(a):
    return Value(math.log(a.data), (a,), (1 / a.data,))


def relu(a):
    return Value(max(0.0, a.data), (a,), (float(a.data > 0),))


Value.__add__ = Value.__radd__ = add
Value.__mul__ = Value.__rmul__ = mul
Value.__pow__ = power
Value.__neg__ = lambda a: a * -1
Value.__sub__ = lambda a, b: a + (-b)
Value.__truediv__ = lambda a, b: a * b**-1
for function in (exp, log, relu):
    setattr(Value, function.__name__, function)

E, H, T = 6, 2, 5


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
