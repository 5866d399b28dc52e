"""Closures again, with the parents in a tuple and a richer set of activations.

tanh caps the logits, gelu and sigmoid make a gated MLP, and max gives a leaky rectifier.
"""

import math
import os
import random
import sys

random.seed(1234)

here = os.path.dirname(os.path.abspath(__file__))
path = "input.txt" if os.path.exists("input.txt") else os.path.join(here, "..", "names.txt")
docs = [line.strip() for line in open(path) if line.strip()]
random.shuffle(docs)
letters = sorted(set("".join(docs)))
BOS = 0
stoi = {ch: i + 1 for i, ch in enumerate(letters)}
itos = {i: ch for ch, i in stoi.items()}
vocab_size = len(letters) + 1

n_embd = 6
n_head = 2
n_layer = 1
block_size = 8
n_hidden = 8
num_steps = 20
learning_rate = 0.02
temperature = 0.6
logit_cap = 10.0
leak = 0.1
head_dim = n_embd // n_head


class Value:
    def __init__(self, data, _prev=(), _op=""):
        self.data = data
        self.grad = 0.0
        self._prev = _prev
        self._op = _op
        self._backward = None

    @staticmethod
    def wrap(x):
        return x if isinstance(x, Value) else Value(float(x), (), "const")

    def __add__(self, other):
        other = Value.wrap(other)
        out = Value(self.data + other.data, (self, other), "+")

        def _backward():
            self.grad += out.grad
            other.grad += out.grad

        out._backward = _backward
        return out

    def __mul__(self, other):
        other = Value.wrap(other)
        out = Value(self.data * other.data, (self, other), "*")

        def _backward():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out._backward = _backward
        return out

    def __pow__(self, power):
        out = Value(self.data**power, (self,), "pow")

        def _backward():
            self.grad += power * self.data ** (power - 1) * out.grad

        out._backward = _backward
        return out

    def exp(self):
        out = Value(math.exp(self.data), (self,), "exp")

        def _backward():
            self.grad += out.data * out.grad

        out._backward = _backward
        return out

    def log(self):
        out = Value(math.log(self.data), (self,), "log")

        def _backward():
            self.grad += out.grad / self.data

        out._backward = _backward
        return out

    def tanh(self):
        t = math.tanh(self.data)
        out = Value(t, (self,), "tanh")

        def _backward():
            self.grad += (1 - t * t) * out.grad

        out._backward = _backward
        return out

    def sigmoid(self):
        s = 1 / (1 + math.exp(-self.data))
        out = Value(s, (self,), "sigmoid")

        def _backward():
            self.grad += s * (1 - s) * out.grad

        out._backward = _backward
        return out

    def gelu(self):
        """x * Phi(x), with the normal distribution written out by erf."""
        x = self.data
        cdf = 0.5 * (1 + math.erf(x / math.sqrt(2)))
        pdf = math.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        out = Value(x * cdf, (self,), "gelu")

        def _backward():
            self.grad += (cdf + x * pdf) * out.grad

        out._backward = _backward
        return out

    def max(self, other):
        """The larger of two; a tie goes to self."""
        other = Value.wrap(other)
        winner = self if self.data >= other.data else other
        out = Value(winner.data, (self, other), "max")

        def _backward():
            winner.grad += out.grad

        out._backward = _backward
        return out

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + (-other)

    def __truediv__(self, other):
        return self * other**-1

    __radd__ = __add__
    __rmul__ = __mul__

    def backward(self):
        topo, visited = [], set()

        def visit(node):
            if id(node) in visited:
                return
            visited.add(id(node))
            for parent in node._prev:
                visit(parent)
            topo.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(topo):
            if node._backward is not None:
                node._backward()


def weights(rows, cols):
    return [[Value(random.gauss(0, 0.15)) for _ in range(cols)] for _ in range(rows)]


state_dict = {}
state_dict["wte"] = weights(vocab_size, n_embd)
state_dict["wpe"] = weights(block_size, n_embd)
for li in range(n_layer):
    for name in ("wq", "wk", "wv", "wo"):
        state_dict[f"h{li}.{name}"] = weights(n_embd, n_embd)
    state_dict[f"h{li}.up"] = weights(n_hidden, n_embd)
    state_dict[f"h{li}.gate"] = weights(n_hidden, n_embd)
    state_dict[f"h{li}.down"] = weights(n_embd, n_hidden)
state_dict["lm_head"] = weights(vocab_size, n_embd)
params = [p for mat in state_dict.values() for row in mat for p in row]


def linear(x, w):
    return [sum((wi * xi for wi, xi in zip(row, x)), Value(0.0)) for row in w]


def softmax(z):
    biggest = max(zi.data for zi in z)
    e = [(zi - biggest).exp() for zi in z]
    s = sum(e)
    return [ei / s for ei in e]


def rmsnorm(x):
    inv = (sum(xi * xi for xi in x) / len(x) + 1e-5) ** -0.5
    return [xi * inv for xi in x]


def attention(x, li, keys, values):
    q = linear(x, state_dict[f"h{li}.wq"])
    keys[li].append(linear(x, state_dict[f"h{li}.wk"]))
    values[li].append(linear(x, state_dict[f"h{li}.wv"]))
    out = []
    for h in range(n_head):
        cut = slice(h * head_dim, (h + 1) * head_dim)
        attn_logits = [
            sum(a * b for a, b in zip(q[cut], k[cut])) * head_dim**-0.5 for k in keys[li]
        ]
        attn_weights = softmax(attn_logits)
        for j in range(cut.start, cut.stop):
            out.append(sum(a * v[j] for a, v in zip(attn_weights, values[li])))
    mixed = linear(out, state_dict[f"h{li}.wo"])
    return [y.max(y * leak) for y in mixed]


def mlp(x, li):
    up = [u.gelu() for u in linear(x, state_dict[f"h{li}.up"])]
    gate = [g.sigmoid() for g in linear(x, state_dict[f"h{li}.gate"])]
    return linear([u * g for u, g in zip(up, gate)], state_dict[f"h{li}.down"])


def gpt(token_id, pos_id, keys, values):
    x = [a + b for a, b in zip(state_dict["wte"][token_id], state_dict["wpe"][pos_id])]
    for li in range(n_layer):
        x = [a + b for a, b in zip(x, attention(rmsnorm(x), li, keys, values))]
        x = [a + b for a, b in zip(x, mlp(rmsnorm(x), li))]
    logits = linear(rmsnorm(x), state_dict["lm_head"])
    return [(z / logit_cap).tanh() * logit_cap for z in logits]


m = [0.0] * len(params)
v = [0.0] * len(params)
for step in range(num_steps):
    tokens = [BOS] + [stoi[ch] for ch in docs[step % len(docs)]] + [BOS]
    n = min(block_size, len(tokens) - 1)
    keys, values = [[] for _ in range(n_layer)], [[] for _ in range(n_layer)]
    losses = []
    for pos_id in range(n):
        probs = softmax(gpt(tokens[pos_id], pos_id, keys, values))
        losses.append(-probs[tokens[pos_id + 1]].log())
    loss = sum(losses) / n
    loss.backward()
    lr_t = learning_rate * 0.5 * (1 + math.cos(math.pi * step / num_steps))
    for i, p in enumerate(params):
        m[i] = 0.9 * m[i] + 0.1 * p.grad
        v[i] = 0.95 * v[i] + 0.05 * p.grad**2
        m_hat = m[i] / (1 - 0.9 ** (step + 1))
        v_hat = v[i] / (1 - 0.95 ** (step + 1))
        p.data -= lr_t * m_hat / (v_hat**0.5 + 1e-8)
        p.grad = 0.0
    print(f"step {step + 1:3d} | loss {loss.data:.4f}", end="\r")
print()

for sample_idx in range(4):
    print(f"sample {sample_idx + 1}: ", end="")
    keys, values = [[] for _ in range(n_layer)], [[] for _ in range(n_layer)]
    token_id = BOS
    for pos_id in range(block_size):
        logits = gpt(token_id, pos_id, keys, values)
        probs = softmax([z / temperature for z in logits])
        token_id = random.choices(range(vocab_size), weights=[p.data for p in probs])[0]
        if token_id == BOS:
            break
        print(itos[token_id], end="")
        sys.stdout.flush()
    print()
