"""A small microgpt. Seeded bug 6: see docs/bugs.md."""

import math
import os
import random

n_layer = 1
n_embd = 8
n_head = 1
block_size = 8
init_std = 0.3
num_steps = 150
learning_rate = 0.05
beta1 = 0.85
beta2 = 0.99
eps_adam = 1e-8
temperature = 0.5
head_dim = n_embd // n_head

random.seed(42)

corpus = "input.txt"
if not os.path.exists(corpus):
    corpus = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "names.txt")
with open(corpus) as file:
    docs = [line.strip() for line in file if line.strip()]
random.shuffle(docs)
uchars = sorted(set("".join(docs)))
BOS = len(uchars)
vocab_size = len(uchars) + 1


class Value:
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
        return Value(math.exp(self.data), (self,), (math.exp(self.data),))

    def log(self):
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def relu(self):
        return Value(max(0, self.data), (self,), (float(self.data > 0),))

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
        topo = []
        visited = set()

        def build_topo(node):
            if node not in visited:
                visited.add(node)
                for child in node._children:
                    build_topo(child)
                topo.append(node)

        build_topo(self)
        self.grad = 1
        for v in reversed(topo):
            for child, local_grad in zip(v._children, v._local_grads):
                child.grad += local_grad * v.grad


def matrix(n_out, n_in):
    return [[Value(random.gauss(0, init_std)) for _ in range(n_in)] for _ in range(n_out)]


state_dict = {
    "wte": matrix(vocab_size, n_embd),
    "wpe": matrix(block_size, n_embd),
    "lm_head": matrix(vocab_size, n_embd),
}
for li in range(n_layer):
    state_dict[f"layer{li}.attn_wq"] = matrix(n_embd, n_embd)
    state_dict[f"layer{li}.attn_wk"] = matrix(n_embd, n_embd)
    state_dict[f"layer{li}.attn_wv"] = matrix(n_embd, n_embd)
    state_dict[f"layer{li}.attn_wo"] = matrix(n_embd, n_embd)
    state_dict[f"layer{li}.mlp_fc1"] = matrix(4 * n_embd, n_embd)
    state_dict[f"layer{li}.mlp_fc2"] = matrix(n_embd, 4 * n_embd)
params = [p for mat in state_dict.values() for row in mat for p in row]


def linear(x, w):
    return [sum(w_i * x_i for w_i, x_i in zip(row, x)) for row in w]


def softmax(logits):
    max_val = max(logit.data for logit in logits)
    exps = [(logit - max_val).exp() for logit in logits]
    total = sum(exps)
    return [e / total for e in exps]


def rmsnorm(x):
    mean_square = sum(x_i * x_i for x_i in x) / len(x)
    scale = (mean_square + 1e-5) ** -0.5
    return [x_i * scale for x_i in x]


def attention(xs, li):
    T = len(xs)
    q = [linear(x, state_dict[f"layer{li}.attn_wq"]) for x in xs]
    k = [linear(x, state_dict[f"layer{li}.attn_wk"]) for x in xs]
    v = [linear(x, state_dict[f"layer{li}.attn_wv"]) for x in xs]
    xs_attn = [[] for _ in range(T)]
    for h in range(n_head):
        dims = range(h * head_dim, (h + 1) * head_dim)
        attn_logits = [
            [sum(q[i][d] * k[j][d] for d in dims) / head_dim**0.5 for j in range(T)]
            for i in range(T)
        ]
        for i in range(T):
            for j in range(i + 1, T):
                attn_logits[i][j] = Value(-1e9)
        attn_weights = [softmax(row) for row in attn_logits]
        for i in range(T):
            xs_attn[i].extend(sum(attn_weights[i][j] * v[j][d] for j in range(T)) for d in dims)
    return [linear(x, state_dict[f"layer{li}.attn_wo"]) for x in xs_attn]


def mlp(x, li):
    hidden = [x_i.relu() for x_i in linear(x, state_dict[f"layer{li}.mlp_fc1"])]
    return linear(hidden, state_dict[f"layer{li}.mlp_fc2"])


def gpt(token_ids):
    xs = []
    for pos_id, token_id in enumerate(token_ids):
        x = [t + p for t, p in zip(state_dict["wte"][token_id], state_dict["wpe"][pos_id])]
        xs.append(rmsnorm(x))
    for li in range(n_layer):
        attended = attention([rmsnorm(x) for x in xs], li)
        xs = [[a + b for a, b in zip(x, y)] for x, y in zip(xs, attended)]
        xs = [[a + b for a, b in zip(x, mlp(rmsnorm(x), li))] for x in xs]
    return [linear(x, state_dict["lm_head"]) for x in xs]


m = [0.0] * len(params)
v = [0.0] * len(params)
for step in range(num_steps):
    doc = docs[step % len(docs)]
    tokens = [BOS] + [uchars.index(ch) for ch in doc] + [BOS]
    n = min(block_size, len(tokens) - 1)

    losses = []
    for logits, target_id in zip(gpt(tokens[:n]), tokens[1 : n + 1]):
        probs = softmax(logits)
        losses.append(-probs[target_id].log())
    loss = (1 / n) * sum(losses)
    loss.backward()

    lr_t = learning_rate * (1 - step / num_steps)
    for i, p in enumerate(params):
        m[i] = beta1 * m[i] + (1 - beta1) * p.grad
        v[i] = beta2 * v[i] + (1 - beta2) * p.grad**2
        m_hat = m[i] / (1 - beta1 ** (step + 1))
        v_hat = v[i] / (1 - beta2 ** (step + 1))
        p.data -= lr_t * m_hat / (v_hat**0.5 + eps_adam)
        p.grad = 0
    print(f"step {step + 1:4d} / {num_steps:4d} | loss {loss.data:.4f}")

for sample_idx in range(3):
    token_ids = [BOS]
    while len(token_ids) < block_size:
        logits = gpt(token_ids)[-1]
        probs = softmax([logit / temperature for logit in logits])
        token_id = random.choices(range(vocab_size), weights=[p.data for p in probs])[0]
        if token_id == BOS:
            break
        token_ids.append(token_id)
    print(f"sample {sample_idx + 1:2d}: {''.join(uchars[t] for t in token_ids[1:])}")
