"""Mixture of experts, as modules: Linear, RMSNorm, Attention, Experts, Block, GPT.

Three softmaxes have nothing to do with each other: the attention of each head, the gate that
weighs the experts of a block, and a learned weighting of the depths (the output is a blend of the
residual stream after each block).
"""

import math
import random
from pathlib import Path

random.seed(3)


class Value:
    """One number and how it was made."""

    __slots__ = ("data", "grad", "_children", "_local_grads")

    def __init__(self, data, children=(), local_grads=()):
        self.data = data
        self.grad = 0
        self._children = children
        self._local_grads = local_grads

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, k):
        return Value(self.data**k, (self,), (k * self.data ** (k - 1),))

    def exp(self):
        e = math.exp(self.data)
        return Value(e, (self,), (e,))

    def log(self):
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def relu(self):
        return Value(max(0.0, self.data), (self,), (1.0 if self.data > 0 else 0.0,))

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + (-other)

    def __truediv__(self, other):
        return self * other**-1

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def backward(self):
        topo, visited = [], set()

        def build_topo(node):
            if node not in visited:
                visited.add(node)
                for child in node._children:
                    build_topo(child)
                topo.append(node)

        build_topo(self)
        self.grad = 1
        for node in reversed(topo):
            for child, local_grad in zip(node._children, node._local_grads):
                child.grad += local_grad * node.grad


def softmax(z):
    peak = max(v.data for v in z)
    exps = [(v - peak).exp() for v in z]
    total = sum(exps)
    return [e / total for e in exps]


class Module:
    def parameters(self):
        """Every Value reachable through attributes and lists, in order of definition."""
        found = []

        def collect(thing):
            if isinstance(thing, Value):
                found.append(thing)
            elif isinstance(thing, Module):
                for member in vars(thing).values():
                    collect(member)
            elif isinstance(thing, list):
                for member in thing:
                    collect(member)

        collect(self)
        return found


class Linear(Module):
    def __init__(self, n_in, n_out):
        self.weight = [
            [Value(random.gauss(0, n_in**-0.5)) for _ in range(n_in)] for _ in range(n_out)
        ]

    def __call__(self, x):
        return [sum(w * xi for w, xi in zip(row, x)) for row in self.weight]


class Embedding(Module):
    def __init__(self, count, width):
        self.rows = [[Value(random.gauss(0, 0.3)) for _ in range(width)] for _ in range(count)]

    def __call__(self, index):
        return self.rows[index]


class RMSNorm(Module):
    def __init__(self, width):
        self.gain = [Value(1.0) for _ in range(width)]

    def __call__(self, x):
        scale = (sum(xi * xi for xi in x) / len(x) + 1e-5) ** -0.5
        return [g * (xi * scale) for g, xi in zip(self.gain, x)]


class Attention(Module):
    def __init__(self, width, heads):
        self.heads = heads
        self.size = width // heads
        self.wq = Linear(width, width)
        self.wk = Linear(width, width)
        self.wv = Linear(width, width)
        self.wo = Linear(width, width)

    def __call__(self, x, cache):
        q = self.wq(x)
        cache.append((self.wk(x), self.wv(x)))
        out = []
        for h in range(self.heads):
            part = slice(h * self.size, (h + 1) * self.size)
            attn_logits = [
                sum(a * b for a, b in zip(q[part], k[part])) / self.size**0.5 for k, _ in cache
            ]
            attn_weights = softmax(attn_logits)
            for j in range(part.start, part.stop):
                out.append(sum(w * v[j] for w, (_, v) in zip(attn_weights, cache)))
        return self.wo(out)


class Expert(Module):
    def __init__(self, width, hidden):
        self.up = Linear(width, hidden)
        self.down = Linear(hidden, width)

    def __call__(self, x):
        return self.down([u.relu() for u in self.up(x)])


class Experts(Module):
    """All experts answer; the gate decides how much each one counts."""

    def __init__(self, width, hidden, count):
        self.gate = Linear(width, count)
        self.experts = [Expert(width, hidden) for _ in range(count)]

    def __call__(self, x):
        gate_weights = softmax(self.gate(x))
        answers = [expert(x) for expert in self.experts]
        return [
            sum(g * answer[j] for g, answer in zip(gate_weights, answers)) for j in range(len(x))
        ]


class Block(Module):
    def __init__(self, width, heads, hidden, experts):
        self.norm1 = RMSNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = RMSNorm(width)
        self.mixture = Experts(width, hidden, experts)

    def __call__(self, x, cache):
        x = [a + b for a, b in zip(x, self.attention(self.norm1(x), cache))]
        return [a + b for a, b in zip(x, self.mixture(self.norm2(x)))]


class GPT(Module):
    def __init__(self, vocab, width=8, heads=2, layers=2, hidden=6, experts=3, context=8):
        self.context = context
        self.tokens = Embedding(vocab, width)
        self.positions = Embedding(context, width)
        self.blocks = [Block(width, heads, hidden, experts) for _ in range(layers)]
        self.depth = [Value(0.0) for _ in range(layers)]
        self.norm = RMSNorm(width)
        self.head = Linear(width, vocab)

    def new_cache(self):
        return [[] for _ in self.blocks]

    def __call__(self, token, position, cache):
        x = [a + b for a, b in zip(self.tokens(token), self.positions(position))]
        stages = []
        for block, memory in zip(self.blocks, cache):
            x = block(x, memory)
            stages.append(x)
        depth_weights = softmax(self.depth)
        x = [sum(w * stage[j] for w, stage in zip(depth_weights, stages)) for j in range(len(x))]
        return self.head(self.norm(x))


class Adam:
    def __init__(self, parameters, lr, betas=(0.9, 0.99), eps=1e-8):
        self.parameters = parameters
        self.lr, self.betas, self.eps = lr, betas, eps
        self.m = [0.0] * len(parameters)
        self.v = [0.0] * len(parameters)
        self.t = 0

    def zero_grad(self):
        for p in self.parameters:
            p.grad = 0

    def step(self):
        self.t += 1
        b1, b2 = self.betas
        for i, p in enumerate(self.parameters):
            self.m[i] = b1 * self.m[i] + (1 - b1) * p.grad
            self.v[i] = b2 * self.v[i] + (1 - b2) * p.grad**2
            m_hat = self.m[i] / (1 - b1**self.t)
            v_hat = self.v[i] / (1 - b2**self.t)
            p.data -= self.lr * m_hat / (v_hat**0.5 + self.eps)


path = Path("input.txt")
if not path.exists():
    path = Path(__file__).resolve().parents[1] / "names.txt"
docs = path.read_text().splitlines()
random.shuffle(docs)
alphabet = ["."] + sorted(set("".join(docs)))
num_steps = 10

model = GPT(vocab=len(alphabet))
optimizer = Adam(model.parameters(), lr=0.02)
print(f"{len(optimizer.parameters)} parameters")

for step, doc in enumerate(docs[:num_steps]):
    ids = [alphabet.index(ch) for ch in "." + doc + "."][: model.context + 1]
    cache = model.new_cache()
    losses = []
    for position, (token, target) in enumerate(zip(ids, ids[1:])):
        probs = softmax(model(token, position, cache))
        losses.append(-probs[target].log())
    loss = sum(losses) / len(losses)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(
        f"step {step + 1:2d} loss {loss.data:.4f} depth {[round(d.data, 3) for d in model.depth]}"
    )

for _ in range(3):
    cache, token, text = model.new_cache(), 0, ""
    for position in range(model.context):
        probs = softmax([z / 0.7 for z in model(token, position, cache)])
        token = random.choices(range(len(alphabet)), weights=[p.data for p in probs])[0]
        if token == 0:
            break
        text += alphabet[token]
    print("made up:", text)
