"""Small scripts that use one thing of the language each, all of them with an autograd class.

Each is a body that follows ``PRELUDE``. A recorded run of it must print, raise and return what the
bare run does.
"""

PRELUDE = '''\
"""A docstring."""
from __future__ import annotations
import math, random, sys


class Value:
    """A number with a gradient."""

    __slots__ = ("data", "grad", "_children", "_local_grads")

    def __init__(self, data, children=(), local_grads=()):
        """Made by every operation."""
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

    def tanh(self):
        t = math.tanh(self.data)
        return Value(t, (self,), (1 - t * t,))

    def __neg__(self): return self * -1
    def __sub__(self, other): return self + (-other)
    def __radd__(self, other): return self + other
    def __rmul__(self, other): return self * other
    def __truediv__(self, other): return self * other**-1

    def backward(self):
        """The chain rule."""
        topo, visited = [], set()

        def build(v):
            if v not in visited:
                visited.add(v)
                for child in v._children:
                    build(child)
                topo.append(v)

        build(self)
        self.grad = 1
        for v in reversed(topo):
            for child, local in zip(v._children, v._local_grads):
                child.grad += local * v.grad


random.seed(1)
w = [Value(random.gauss(0, 1)) for _ in range(4)]


def show(*values):
    print(*[v.data if isinstance(v, Value) else v for v in values])


'''

SNIPPETS = {
    "train": """
for step in range(3):
    loss = sum((w_i * 2 - 1) ** 2 for w_i in w) / len(w)
    loss.backward()
    for p in w:
        p.data -= 0.1 * p.grad
        p.grad = 0
    print(f"{step} {loss.data!r}")
""",
    "generators": """
def scaled(values, k):
    for i, v in enumerate(values):
        got = yield v * k + i
        if got:
            yield got
g = scaled(w, 3)
show(next(g), g.send(w[0]), *g)
def outer():
    x = yield from scaled(w[:1], 2)
    return x
show(*outer())
print(sum(v.data for v in (a * b for a in w for b in w if a is not b)))
""",
    "lambdas": """
f = lambda x, y=2, *z, k=1: x * y + k
show(f(w[0]), f(w[1], 3), f(w[2], k=w[3]))
show(*sorted(w, key=lambda v: -v.data))
show(*map(lambda v: v.tanh(), w))
print((lambda: (lambda a: a.data)(w[0]))())
""",
    "walrus": """
if (y := w[0] * w[1]).data > -9 and (z := y + 1):
    show(y, z)
show(*[t for v in w if (t := v * v).data > 0.1])
print(t.data)
while (n := len(w)) > 3:
    w = w[:-1]
show(*w)
""",
    "match": """
def kind(x):
    match x:
        case Value(data=d) if d > 0:
            return x * 2
        case Value():
            return -x
        case [a, *rest]:
            return a + len(rest)
        case {"k": v}:
            return v
        case int() | float():
            return Value(x)
        case _:
            return None
show(kind(w[0]), kind(w[1]), kind(w), kind({"k": w[2]}), kind(3), kind("?"))
""",
    "exceptions": """
def risky(v, k):
    try:
        if k == 1:
            raise ValueError("one")
        if k == 2:
            return v * 2
        return v / Value(0.0)
    except ValueError as error:
        print("caught", error)
        return v
    except ZeroDivisionError:
        print("division")
        raise KeyError("from") from None
    else:
        print("else")
    finally:
        print("finally", k)
for k in (0, 1, 2):
    try:
        show(risky(w[0], k))
    except KeyError as error:
        print("outer", error.args, error.__suppress_context__)
def loses():
    for i in range(3):
        try:
            continue
        finally:
            print("iteration", i)
    try:
        return w[0] * 1
    finally:
        return w[1] * 1
show(loses())
try:
    try:
        w[0] + None
    except TypeError:
        undefined_name
except NameError as error:
    print(type(error.__context__).__name__, error)
""",
    "groups": """
try:
    raise ExceptionGroup("g", [ValueError(1), TypeError(2)])
except* ValueError as group:
    show(w[0] * 2, group.exceptions)
except* TypeError:
    show(w[1] * 2)
""",
    "async": """
import asyncio
async def add(a, b):
    await asyncio.sleep(0)
    return a * b + 1
async def agen():
    for v in w:
        yield v * 2
class Manager:
    async def __aenter__(self):
        return w[0] + 1
    async def __aexit__(self, *exc):
        print("left", exc[0])
async def main():
    show(*await asyncio.gather(add(w[0], w[1]), add(w[2], w[3])))
    async for v in agen():
        show(v)
    async with Manager() as m:
        show(m)
    print([v.data async for v in agen()])
asyncio.run(main())
""",
    "decorators": '''
import functools, contextlib
def logged(tag):
    def wrap(f):
        @functools.wraps(f)
        def inner(*a, **k):
            print(tag, f.__name__, f.__doc__)
            return f(*a, **k)
        return inner
    return wrap
@logged("A")
@logged("B")
def f(x: Value, *, k: "int" = 2) -> Value:
    """Doc of f."""
    return x * k
show(f(w[0]), f(w[1], k=3))
print(f.__annotations__, f.__wrapped__.__name__, f.__defaults__, f.__qualname__)
@functools.lru_cache
def cached(i):
    print("computed", i)
    return w[i] * w[i]
show(cached(1), cached(1))
@contextlib.contextmanager
def scope(v):
    print("in")
    try:
        yield v * 2
    finally:
        print("out")
with scope(w[0]) as a, scope(w[1]) as b:
    show(a + b)
''',
    "nested": """
def outer(x):
    total = x * 1
    count = 0
    def inner(y):
        nonlocal total, count
        total = total + y
        count += 1
        class Local:
            field = total * 2
            def get(self):
                return self.field + y
        return Local().get()
    show(inner(w[1]), inner(w[2]), total)
    return count
print(outer(w[0]), outer.__code__.co_name, outer.__code__.co_firstlineno)
class Layer:
    scale: Value = w[0]
    bias = scale * 2
    def __init__(self, n):
        self.w = [Value(random.gauss(0, 1)) for _ in range(n)]
    def __call__(self, x):
        return [a * b + Layer.bias for a, b in zip(self.w, x)]
    @property
    def total(self):
        return sum(self.w, Value(0.0))
    @staticmethod
    def twice(v):
        return v + v
    @classmethod
    def make(cls, n):
        return cls(n)
    class Inner:
        def go(self, v):
            return v * 5
layer = Layer.make(2)
show(*layer(w), layer.total, Layer.twice(w[0]), Layer.Inner().go(w[1]))
print(Layer.__annotations__, sorted(k for k in vars(Layer) if not k.startswith("__")))
""",
    "arguments": """
def f(a, /, b, *rest, c=1, **more):
    return a * b + sum(rest, Value(0.0)) + c + sum(more.values())
show(f(w[0], w[1]), f(*w), f(w[0], b=2, c=w[3], d=4), f(*w[:2], *w[2:], **{"c": 2, "e": 5}))
first, *middle, last = w
show(first, *middle, last)
(a, [b, c]), d = (w[0], [w[1], w[2]]), w[3]
show(a, b, c, d)
def g(x=w[0] * 2, y=[]):
    y.append(x)
    return y
show(*g(), *g(), g.__defaults__[0])
""",
    "scoping": """
x = 10
def set_global():
    global x
    x = w[0] * 2
set_global()
show(x)
i = "outer"
squares = [i * i for i in range(3)]
print(i, squares, {k: v.data for k, v in enumerate(w)}, {v.data > 0 for v in w})
def shadow():
    show = lambda *a: print("inner show", len(a))
    show(*w)
shadow()
def comp():
    k = 2
    return [v * k for v in w for k in (3,)], k
values, k = comp()
show(*values, k)
del x
print("x" in globals())
try:
    print(x)
except NameError as error:
    print(error)
""",
    "targets": """
a = b = w[0] * 2
show(a, b, a is b)
w[0].grad = w[1].grad = 0.5
print(w[0].grad, w[1].grad)
w[0].grad, w[1].grad = 1.5, 2.5
print(w[0].grad, w[1].grad)
w[0].grad += w[1].grad * 2
w[0].grad = w[0].grad + 1
w[1].grad = 3 + w[1].grad
w[2].grad -= 1
w[2].grad *= 2
print([v.grad for v in w])
w[0].data += 1
w[1].data = w[0].data * 2
w[2].data, w[3].data = 7, 8.5
show(*w)
for w[0].data in (5, 6):
    show(w[0])
for v in w: v.data -= 0.5; v.grad = 0
show(*w)
d = {"k": [w[0]]}
d["k"][0].grad += 1
d["k"].append(w[1] * 2)
d["n"] = d.get("n", 0) + 1
m = [[0.0] * 2 for _ in range(2)]
m[1][0] = m[0][1] = w[0].data
m[-1][1] += 2
print(d["k"][0].grad, d["k"][1].data, d["n"], m)
""",
    "order": """
log = []
def at(i):
    log.append(i)
    return w[i]
class Box:
    def __init__(self): self.grad = 0.0; self.data = 1.0
    def __setattr__(self, k, v):
        log.append((k, v)); object.__setattr__(self, k, v)
at(0).grad += at(1).grad + at(2).data
at(3).data -= at(0).data * 2
box = Box()
box.grad += 1
box.data = 5
print(log, [v.grad for v in w])
def noisy(x):
    print("noisy", x)
    return x
print([noisy(v.data) > 0 or noisy(1) for v in w])
x = noisy(1) if noisy(0) else noisy(2)
assert noisy(1), noisy("no")
print(noisy(1) < noisy(2) < noisy(3))
""",
    "namespaces": """
print(sorted(k for k in globals() if not k.startswith("__")))
print(sorted(k for k in dir() if not k.startswith("__")))
def f(a):
    b = a * 2
    print(sorted(locals()))
    return sorted(vars())
print(f(w[0]))
w[0].grad += w[1].data * 2
print([k for k in globals() if k.startswith("@")])
print(__name__, __doc__, __file__ == sys.argv[0], __package__, __spec__, __loader__.name)
print(sys.modules["__main__"].__dict__ is globals())
print(sorted(vars(Value)), Value.__module__, Value.__init__.__doc__, Value.backward.__doc__, Value.__doc__)
import inspect
print(inspect.signature(Value), inspect.signature(f))
print([n for n, v in inspect.getmembers(sys.modules["__main__"]) if inspect.isfunction(v)])
""",
    "introspection": """
def f():
    frame = sys._getframe()
    return frame.f_code.co_name, frame.f_lineno - frame.f_code.co_firstlineno, frame.f_back.f_code.co_name
print(f())
def depth(n=0):
    try:
        return depth(n + 1)
    except RecursionError:
        return n
print(abs(depth() - sys.getrecursionlimit()) < 12, sys.getrecursionlimit())
print(f.__code__.co_varnames, f.__name__, f.__module__, f.__qualname__)
import gc
print(isinstance(gc.get_threshold(), tuple))
print(sys.gettrace(), sys.getprofile(), sys.flags.optimize)
""",
    "tracebacks": """
import traceback
def fails(v):
    total = v * 2 + sum(x * v for x in w)
    return [total / (x - x.data) for x in w]
try:
    fails(w[0])
except ZeroDivisionError:
    print(traceback.format_exc())
try:
    w[0].grad += w[1].nothing * 2
except AttributeError:
    print(traceback.format_exc())
try:
    [v.data for v in w][9]
except IndexError as error:
    print([(f.name, f.lineno, f.colno, f.end_colno) for f in traceback.extract_tb(error.__traceback__)])
""",
    "pickling": """
import pickle, copy
class Plain:
    def __init__(self, v): self.v = v
again = pickle.loads(pickle.dumps(Plain(3)))
print(type(again) is Plain, again.v)
twin = copy.deepcopy(w[0] * w[1])
show(twin, len(twin._children))
twin.grad += 1
print(twin.grad, copy.copy(w[0]).data)
""",
    "output": """
import io, contextlib, os
print("to stdout", end="")
print("to stderr", file=sys.stderr)
sys.stdout.write("written\\n")
sys.stdout.flush()
os.write(1, b"fd 1\\n")
with contextlib.redirect_stdout(io.StringIO()) as caught:
    print("hidden")
    show(w[0])
print(repr(caught.getvalue()))
class Tee:
    def __init__(self, out): self.out = out; self.lines = 0
    def write(self, text): self.lines += text.count("\\n"); return self.out.write(text.upper())
real, sys.stdout = sys.stdout, Tee(sys.stdout)
print("through a tee")
show(w[0] * 2)
tee, sys.stdout = sys.stdout, real
print(tee.lines, "done", sep=" / ", flush=True)
print(*range(3), sep="\\r", end="\\r\\n")
printer = print
printer("by another name")
p = sys.stdout.write
p("bound\\n")
""",
    "many prints": """
for i in range(4000):
    print(i, (w[0] * i).data)
""",
    "input": """
try:
    input("? ")
except EOFError as error:
    print("no input:", error)
print(repr(sys.stdin.read()), sys.stdin.isatty(), sys.stdout.isatty())
""",
    "exit handlers": """
import atexit, weakref
atexit.register(lambda: print("first registered, last run"))
@atexit.register
def bye():
    show(w[0] * 2)
    print("bye")
""",
    "sys.exit code": "show(w[0] * 2)\nsys.exit(3)\n",
    "sys.exit text": "show(w[0] * 2)\nsys.exit('a message')\n",
    "sys.exit none": "show(w[0] * 2)\nsys.exit()\n",
    "exit builtin": "show(w[0] * 2)\nexit(4)\n",
    "raise SystemExit": "try:\n    raise SystemExit(5)\nfinally:\n    show(w[0] * 2)\n",
    "os._exit": "import os\nprint('x', flush=True)\nos._exit(7)\n",
    "uncaught": """
def inner(v):
    return v.missing * 2
def outer():
    for v in w:
        inner(v)
outer()
""",
    "uncaught chain": """
def f():
    try:
        w[0] + "text"
    except TypeError as error:
        raise RuntimeError("while adding") from error
f()
""",
    "uncaught in class": """
def f(n):
    return f(n - 1) if n else w[0] / Value(0.0)
f(3)
""",
    "uncaught recursion": """
def f(n):
    return w[0] * f(n + 1)
f(0)
""",
    "excepthook": """
def hook(kind, value, trace):
    print("hook:", kind.__name__, value, trace.tb_frame.f_code.co_name, trace.tb_lineno)
sys.excepthook = hook
w[0] + None
""",
    "assert": "assert w[0].data > 1e9, 'too small: ' + str(w[0].data)\n",
    "keyboard": "raise KeyboardInterrupt\n",
    "warnings": """
import warnings
def f():
    warnings.warn("careful")
    return w[0] * 2
show(f())
""",
    "threads": """
import threading
found = []
def work(k):
    found.append((w[0] * k).data)
for k in range(3):
    t = threading.Thread(target=work, args=(k,))
    t.start()
    t.join()
print(found)
""",
    "subprocess": """
import subprocess
print(subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True).stdout)
""",
    "exec and eval": """
exec("z = w[0] * 3\\nprint(z.data)")
print(eval("(w[0] + w[1]).data"), eval("len(w)", {"w": [1]}))
namespace = {}
exec(compile("def f(v): return v * 2", "<made>", "exec"), namespace)
show(namespace["f"](w[0]))
""",
    "type hints": """
from dataclasses import dataclass, field
from typing import NamedTuple
@dataclass
class Config:
    n: int = 3
    items: list[Value] = field(default_factory=list)
class Pair(NamedTuple):
    a: Value
    b: int = 2
x: Value = w[0] * 2
y: "undefined_type"
print(Config(), Pair(w[0]).b, __annotations__)
""",
    "loops": """
for i in range(3):
    for j in range(2):
        if j: break
        show(w[i] * j)
    else:
        print("never")
else:
    print("for else")
n = 0
while n < 3:
    n += 1
    if n == 2: continue
    show(w[n] + n)
else:
    print("while else")
for a, (b, c) in [(1, (w[0], 2)), (3, (w[1], 4))]: show(b * a + c)
for _ in []: pass
it = iter(w)
for v in it:
    show(v, next(it, None))
""",
    "random": """
print(random.choices(range(4), weights=[v.data**2 for v in w], k=1), random.choices("abc"))
print(random.choices([1, 2], weights=(x for x in (1.0, 2.0))), random.random(), random.gauss(0, 1))
own = random.Random(7)
print(own.choices(range(9), weights=[1] * 9)[0], own.random(), random.getstate()[1][:3])
from random import choices
print(choices(["x", "y"], [0.2, 0.8], k=4), choices(range(3), cum_weights=[1, 2, 3]))
""",
    "reserved words of ours": """
def mark(x): return x
node = note = bind = 1
print(mark(node), note, bind)
""",
    "strings": '''
name = "v"
print(f"{w[0].data:.3f} {(w[0] * 2).data!r:>10} {name=} {sum(w).data:.2e}")
print(f"{'nested ' + f'{w[1].data:+.1f}'}", r"raw\\n", b"bytes", """triple
line""")
é = w[0] * 2; print("ünï", é.data)  # non-ASCII before an operation
''',
}
ALONE = {
    "exit handlers", "sys.exit code", "sys.exit text", "sys.exit none", "exit builtin", "raise SystemExit", "os._exit",
    "uncaught", "uncaught chain", "uncaught in class", "uncaught recursion", "excepthook", "assert", "keyboard",
    "many prints", "namespaces",
}  # fmt: skip
"""Those that end the process, or that look at everything in it: they cannot follow one another."""
