"""Adding single digits: three layers, grouped queries, SiLU, and a corpus made on the spot.

Four query heads share two key/value heads, and the embedding doubles as the output layer. Every
step averages the loss of two problems. Needs no data file.
"""

import math
import random

rng = random.Random(20)

N_LAYERS = 3
WIDTH = 8
Q_HEADS = 4
KV_HEADS = 2
D = WIDTH // Q_HEADS
HIDDEN = 8
CONTEXT = 7
BATCH = 2
STEPS = 12
LR = 0.03
SYMBOLS = "0123456789+=."
CODE = {s: i for i, s in enumerate(SYMBOLS)}
STOP = CODE["."]


class Node:
    __slots__ = ("data", "grad", "args", "slopes")

    def __init__(self, data, args=(), slopes=()):
        self.data = data
        self.grad = 0.0
        self.args = args
        self.slopes = slopes

    def __add__(self, o):
        if not isinstance(o, Node):
            return Node(self.data + o, (self,), (1.0,))
        return Node(self.data + o.data, (self, o), (1.0, 1.0))

    def __mul__(self, o):
        if not isinstance(o, Node):
            return Node(self.data * o, (self,), (o,))
        return Node(self.data * o.data, (self, o), (o.data, self.data))

    def __sub__(self, o):
        if not isinstance(o, Node):
            return Node(self.data - o, (self,), (1.0,))
        return Node(self.data - o.data, (self, o), (1.0, -1.0))

    def __truediv__(self, o):
        if not isinstance(o, Node):
            return Node(self.data / o, (self,), (1.0 / o,))
        return Node(self.data / o.data, (self, o), (1.0 / o.data, -self.data / o.data**2))

    def __neg__(self):
        return Node(-self.data, (self,), (-1.0,))

    def __radd__(self, o):
        return self + o

    def __rmul__(self, o):
        return self * o

    def rsqrt(self):
        y = 1.0 / math.sqrt(self.data)
        return Node(y, (self,), (-0.5 * y**3,))

    def exp(self):
        y = math.exp(self.data)
        return Node(y, (self,), (y,))

    def log(self):
        return Node(math.log(self.data), (self,), (1.0 / self.data,))

    def silu(self):
        s = 1.0 / (1.0 + math.exp(-self.data))
        return Node(self.data * s, (self,), (s * (1.0 + self.data * (1.0 - s)),))

    def backward(self):
        order, done = [], set()

        def visit(node):
            if node in done:
                return
            done.add(node)
            for a in node.args:
                visit(a)
            order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            for a, slope in zip(node.args, node.slopes):
                a.grad += slope * node.grad


def table(rows, cols, spread=0.25):
    return [[Node(rng.gauss(0.0, spread)) for _ in range(cols)] for _ in range(rows)]


emb = table(len(SYMBOLS), WIDTH)
place = table(CONTEXT, WIDTH)
blocks = [
    {
        "Wq": table(Q_HEADS * D, WIDTH),
        "Wk": table(KV_HEADS * D, WIDTH),
        "Wv": table(KV_HEADS * D, WIDTH),
        "Wo": table(WIDTH, Q_HEADS * D),
        "Win": table(HIDDEN, WIDTH),
        "Wout": table(WIDTH, HIDDEN),
    }
    for _ in range(N_LAYERS)
]
theta = [w for row in emb + place for w in row]
theta += [w for block in blocks for mat in block.values() for row in mat for w in row]


def mv(mat, vec):
    return [sum(a * b for a, b in zip(row, vec)) for row in mat]


def norm(vec):
    r = (sum(a * a for a in vec) / len(vec) + 1e-6).rsqrt()
    return [a * r for a in vec]


def normalized_exp(zs):
    top = max(z.data for z in zs)
    es = [(z - top).exp() for z in zs]
    total = sum(es)
    return [e / total for e in es]


def predict(symbol, at, past):
    """Scores for the next symbol; `past[layer]` collects (key heads, value heads)."""
    r = [a + b for a, b in zip(emb[symbol], place[at])]
    for block, memory in zip(blocks, past):
        u = norm(r)
        qs = mv(block["Wq"], u)
        ks = mv(block["Wk"], u)
        vs = mv(block["Wv"], u)
        memory.append(
            (
                [ks[g * D : (g + 1) * D] for g in range(KV_HEADS)],
                [vs[g * D : (g + 1) * D] for g in range(KV_HEADS)],
            )
        )
        ctx = []
        for head in range(Q_HEADS):
            group = head * KV_HEADS // Q_HEADS
            mine = qs[head * D : (head + 1) * D]
            scores = [
                sum(a * b for a, b in zip(mine, kh[group])) / math.sqrt(D) for kh, _ in memory
            ]
            att = normalized_exp(scores)
            ctx += [sum(w * vh[group][j] for w, (_, vh) in zip(att, memory)) for j in range(D)]
        r = [a + b for a, b in zip(r, mv(block["Wo"], ctx))]
        hidden = [z.silu() for z in mv(block["Win"], norm(r))]
        r = [a + b for a, b in zip(r, mv(block["Wout"], hidden))]
    return mv(emb, norm(r))


def problem():
    a, b = rng.randint(0, 9), rng.randint(0, 9)
    return f"{a}+{b}={a + b}."


def surprise(text):
    """Mean of -log p over the answer's symbols; the question is given."""
    ids = [STOP] + [CODE[s] for s in text]
    past = [[] for _ in blocks]
    terms = []
    for at in range(min(CONTEXT, len(ids) - 1)):
        out = normalized_exp(predict(ids[at], at, past))
        if at >= text.index("="):
            terms.append(-out[ids[at + 1]].log())
    return sum(terms) / len(terms)


first = [0.0] * len(theta)
second = [0.0] * len(theta)
print(f"{len(theta)} numbers to learn")
for it in range(1, STEPS + 1):
    batch = [problem() for _ in range(BATCH)]
    objective = sum(surprise(text) for text in batch) / BATCH
    objective.backward()
    for i, w in enumerate(theta):
        first[i] += 0.1 * (w.grad - first[i])
        second[i] += 0.02 * (w.grad * w.grad - second[i])
        fast = first[i] / (1 - 0.9**it)
        slow = second[i] / (1 - 0.98**it)
        w.data -= LR * fast / (math.sqrt(slow) + 1e-9)
        w.grad = 0.0
    print(f"iteration {it:2d}: {objective.data:.4f}  {' '.join(batch)}")

for _ in range(3):
    a, b = rng.randint(0, 9), rng.randint(0, 9)
    question = f"{a}+{b}="
    past = [[] for _ in blocks]
    text, symbol = "", STOP
    for at in range(CONTEXT):
        out = normalized_exp(predict(symbol, at, past))
        if at < len(question):
            symbol = CODE[question[at]]
        else:
            symbol = rng.choices(range(len(SYMBOLS)), weights=[o.data for o in out])[0]
        if symbol == STOP:
            break
        text += SYMBOLS[symbol]
    print(text, "right" if text == f"{a}+{b}={a + b}" else "wrong")
