"""A GPT that learns to invent names: scalar autograd, model, training and sampling in one file.

Everything a language model needs is here and nothing is hidden: each number of the network is a
`Value` object, and each multiplication is one more object in a graph. Only the standard library
is used. Read it from top to bottom; run it with `python microgpt.py`."""

import math
import os
import random
import sys

# Settings. Change one and run again.
seed = 42
n_layer = 1  # blocks of attention + MLP, stacked
n_embd = 16  # width of the residual stream
n_head = 4  # attention heads; each works on its own slice of the width
block_size = 16  # the most positions the model can look at
init_std = 0.08  # spread of the random initial weights
num_steps = 1000  # training steps, one document each
learning_rate = 0.01
beta1 = 0.85  # memory of the mean gradient
beta2 = 0.99  # memory of the mean squared gradient
eps_adam = 1e-8  # keeps Adam's division finite
eps_norm = 1e-5  # keeps the normalisation finite
temperature = 0.5  # below 1: safer samples; above 1: wilder ones
num_samples = 20
head_dim = n_embd // n_head
random.seed(seed)
sys.setrecursionlimit(100_000)  # `backward` walks the graph by calling itself: a wide model's is deep

# The corpus: one document (here a name) per line, in random order.
corpus = "input.txt"
if not os.path.exists(corpus):
    corpus = os.path.join(os.path.dirname(os.path.abspath(__file__)), "names.txt")
with open(corpus, encoding="utf-8") as file:
    docs = [line.strip() for line in file if line.strip()]
random.shuffle(docs)
print(f"num docs: {len(docs)}")

# The tokenizer: a character's token id is its place in the sorted alphabet. One more token, BOS,
# stands for "a document begins or ends here".
uchars = sorted(set("".join(docs)))
BOS = len(uchars)
vocab_size = len(uchars) + 1
print(f"vocab size: {vocab_size}")


class Value:
    """One number that remembers which numbers it was computed from.

    `_local_grads[i]` is the derivative of this number with respect to `_children[i]`. The chain
    rule over these is all that `backward` needs.
    """

    __slots__ = ("data", "grad", "_children", "_local_grads")

    def __init__(self, data, children=(), local_grads=()):
        self.data = data
        self.grad = 0  # d(loss) / d(this number), filled in by backward
        self._children = children
        self._local_grads = local_grads

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, exponent):
        slope = exponent * self.data ** (exponent - 1)
        return Value(self.data**exponent, (self,), (slope,))

    def exp(self):
        return Value(math.exp(self.data), (self,), (math.exp(self.data),))

    def log(self):
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def relu(self):
        return Value(max(0, self.data), (self,), (float(self.data > 0),))

    # The rest of arithmetic, spelled with the operations above.
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

    def __rsub__(self, other):
        return other + (-self)

    def __rtruediv__(self, other):
        return other * self**-1

    def backward(self):
        """Give every number below this one its gradient: how much it moves this number."""
        topo = []  # children before the numbers made from them
        visited = set()

        def build_topo(node):
            if node not in visited:
                visited.add(node)
                for child in node._children:
                    build_topo(child)
                topo.append(node)

        build_topo(self)
        self.grad = 1  # d(this number) / d(this number)
        for node in reversed(topo):
            for child, local_grad in zip(node._children, node._local_grads):
                child.grad += local_grad * node.grad


# The parameters: matrices of random numbers, one row per output. Training makes sense of them.
def matrix(n_out, n_in):
    return [[Value(random.gauss(0, init_std)) for _ in range(n_in)] for _ in range(n_out)]


state_dict = {
    "wte": matrix(vocab_size, n_embd),  # what a token means
    "wpe": matrix(block_size, n_embd),  # what a position means
    "lm_head": matrix(vocab_size, n_embd),  # how well each token would come next
}
for li in range(n_layer):
    state_dict[f"layer{li}.attn_wq"] = matrix(n_embd, n_embd)
    state_dict[f"layer{li}.attn_wk"] = matrix(n_embd, n_embd)
    state_dict[f"layer{li}.attn_wv"] = matrix(n_embd, n_embd)
    state_dict[f"layer{li}.attn_wo"] = matrix(n_embd, n_embd)
    state_dict[f"layer{li}.mlp_fc1"] = matrix(4 * n_embd, n_embd)
    state_dict[f"layer{li}.mlp_fc2"] = matrix(n_embd, 4 * n_embd)
params = [p for weights in state_dict.values() for row in weights for p in row]
print(f"num params: {len(params)}")


# The model.
def linear(x, w):
    """The matrix `w` times the vector `x`: one dot product per row."""
    return [sum(w_i * x_i for w_i, x_i in zip(row, x)) for row in w]


def softmax(logits):
    """Make any numbers into probabilities; only their differences count."""
    max_val = max(logit.data for logit in logits)  # so that exp cannot overflow
    exps = [(logit - max_val).exp() for logit in logits]
    total = sum(exps)
    return [e / total for e in exps]


def rmsnorm(x):
    """Scale the vector `x` so that its mean square is 1."""
    mean_square = sum(x_i * x_i for x_i in x) / len(x)
    scale = (mean_square + eps_norm) ** -0.5
    return [x_i * scale for x_i in x]


def gpt(token_id, pos_id, keys, values):
    """Read one token and return a logit for every token that could come next.

    `keys[li]` and `values[li]` hold what layer `li` kept of the earlier positions; this position
    adds its own. A token can look back at these and has nothing else to look at, so no mask is
    needed.
    """
    tok_emb = state_dict["wte"][token_id]
    pos_emb = state_dict["wpe"][pos_id]
    x = [tok_i + pos_i for tok_i, pos_i in zip(tok_emb, pos_emb)]
    x = rmsnorm(x)

    for li in range(n_layer):
        # Attention: gather what earlier positions have to say.
        x_residual = x
        x = rmsnorm(x)
        q = linear(x, state_dict[f"layer{li}.attn_wq"])  # what this position looks for
        k = linear(x, state_dict[f"layer{li}.attn_wk"])  # what it can be found by
        v = linear(x, state_dict[f"layer{li}.attn_wv"])  # what it says when it is found
        keys[li].append(k)
        values[li].append(v)
        x_attn = []
        for h in range(n_head):
            head = slice(h * head_dim, (h + 1) * head_dim)  # this head's part of the width
            q_h = q[head]
            k_h = [k_t[head] for k_t in keys[li]]
            v_h = [v_t[head] for v_t in values[li]]
            # How well does what is looked for fit each position t? The root keeps the logits small.
            attn_logits = [
                sum(q_h[j] * k_h[t][j] for j in range(head_dim)) / head_dim**0.5
                for t in range(len(k_h))
            ]
            attn_weights = softmax(attn_logits)
            # What the positions say, weighted.
            head_out = [
                sum(attn_weights[t] * v_h[t][j] for t in range(len(v_h))) for j in range(head_dim)
            ]
            x_attn.extend(head_out)
        x = linear(x_attn, state_dict[f"layer{li}.attn_wo"])
        x = [a + b for a, b in zip(x, x_residual)]

        # MLP: think about it, each position on its own.
        x_residual = x
        x = rmsnorm(x)
        x = linear(x, state_dict[f"layer{li}.mlp_fc1"])
        x = [x_i.relu() for x_i in x]
        x = linear(x, state_dict[f"layer{li}.mlp_fc2"])
        x = [a + b for a, b in zip(x, x_residual)]

    logits = linear(x, state_dict["lm_head"])
    return logits


# Training: guess the next token everywhere in one document, then make the right guesses likelier.
grad_avg = [0.0] * len(params)  # Adam's m: running mean of each gradient
sq_avg = [0.0] * len(params)  # Adam's v: running mean of its square
line_end = "\r" if sys.stdout.isatty() else "\n"  # a terminal shows the last loss, a log keeps all

for step in range(num_steps):
    doc = docs[step % len(docs)]
    tokens = [BOS] + [uchars.index(ch) for ch in doc] + [BOS]
    n = min(block_size, len(tokens) - 1)

    # Forward: one graph from the parameters to the loss.
    keys = [[] for _ in range(n_layer)]
    values = [[] for _ in range(n_layer)]
    losses = []
    for pos_id in range(n):
        token_id, target_id = tokens[pos_id], tokens[pos_id + 1]
        logits = gpt(token_id, pos_id, keys, values)
        probs = softmax(logits)
        loss_t = -probs[target_id].log()  # the surprise at what really came next
        losses.append(loss_t)
    loss = (1 / n) * sum(losses)

    # Backward: a gradient for every parameter.
    loss.backward()

    # Adam: a step against the mean gradient, divided by the gradient's usual size. Both means began
    # at 0, so after k steps they hold only the share 1 - beta**k: dividing by it makes up for that.
    lr_t = learning_rate * (1 - step / num_steps)  # smaller and smaller steps
    for i, p in enumerate(params):
        grad_avg[i] = beta1 * grad_avg[i] + (1 - beta1) * p.grad
        sq_avg[i] = beta2 * sq_avg[i] + (1 - beta2) * p.grad**2
        grad_hat = grad_avg[i] / (1 - beta1 ** (step + 1))
        sq_hat = sq_avg[i] / (1 - beta2 ** (step + 1))
        p.data -= lr_t * grad_hat / (sq_hat**0.5 + eps_adam)
        p.grad = 0

    print(f"step {step + 1:4d} / {num_steps:4d} | loss {loss.data:.4f}", end=line_end)

# Sampling: start a document and let the model finish it, token by token.
print("\n--- samples: new names, made up by the model ---")
for sample_idx in range(num_samples):
    keys = [[] for _ in range(n_layer)]
    values = [[] for _ in range(n_layer)]
    token_id = BOS
    sample = []
    for pos_id in range(block_size):
        logits = gpt(token_id, pos_id, keys, values)
        probs = softmax([logit / temperature for logit in logits])
        token_id = random.choices(range(vocab_size), weights=[prob.data for prob in probs])[0]
        if token_id == BOS:
            break
        sample.append(uchars[token_id])
    print(f"sample {sample_idx + 1:2d}: {''.join(sample)}")
