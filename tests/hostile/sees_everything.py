"""A docstring of its own."""
import random; random.seed(7)
import atexit, gc, inspect, io, logging, os, random, sys, threading, traceback, types, warnings, weakref, runpy
from engine import Value, fit, weights
import engine

def where():
    return [(f.name, f.lineno, f.line) for f in traceback.extract_stack()]

class Kept:
    def __del__(self):
        print("deleted", flush=True)

def tell():
    print(sys.argv, __file__, __name__, __doc__, __spec__, __package__, type(__loader__).__name__)
    print(sorted(k for k in globals() if k.startswith("__")))
    print(sys.path[0], os.getcwd() == os.path.dirname(os.path.abspath(__file__)) or os.getcwd(), sys.flags)
    print(inspect.getsource(tell).count("\n"), inspect.getsource(Kept.__del__), inspect.getsource(engine.fit))
    print(where(), len(inspect.stack()), sys._getframe(1).f_code.co_name, sys._getframe(1).f_back)
    print(inspect.getfile(engine), engine.__file__, engine.__name__, engine.__spec__.origin)
    print(inspect.signature(Value.__init__), Value.__slots__, Value.__module__, Value.__qualname__, tell.__code__.co_varnames)
    print(tell.__code__.co_firstlineno, fit.__code__.co_name, fit.__code__.co_filename)
    print(hash("a"), hash(("a", 1)), {"x", "y", "z"}, random.random(), random.getrandbits(64))
    print(sys.getrecursionlimit(), gc.isenabled(), gc.get_threshold(), sys.gettrace(), sys.getprofile(), sys.getswitchinterval())
    print(threading.current_thread().name, threading.active_count(), threading.main_thread() is threading.current_thread())
    print(sys.stdin.read(), sys.stdin.isatty(), sys.stdout.isatty(), sys.stdout.encoding, sys.stdout.errors, sys.stdout.line_buffering)
    print(os.environ.get("PYTHONPATH"), sys.warnoptions, sys._xoptions, sys.orig_argv[-1] == sys.argv[-1])
    print("sitecustomize" in sys.modules, runpy.__file__.endswith("runpy.py"), [m for m in sys.meta_path if isinstance(m, type)][:1])
    print(open(os.devnull).fileno(), dir() , sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__)
    print(logging.Logger("x").findCaller()[1:3], eval("1 + 1"), locals().keys() if False else "")

tell()
for step in range(2):
    print("step", step, fit(), len(where()))
x = Kept()
atexit.register(lambda: print("at exit", sys.exc_info()))
warnings.warn("an old name", DeprecationWarning)
warnings.warn("told where it was called", stacklevel=5)
exec("def made():\n    return sys._getframe().f_back.f_code.co_name\nprint(made())")
try:
    weights[0] * None + (1 / 0)
except Exception:
    traceback.print_exc()
    print(traceback.format_exc(), file=sys.stdout)
try:
    (lambda: fit(1))()
except TypeError as error:
    print(error, [f.name for f in traceback.extract_tb(error.__traceback__)])
ref = weakref.ref(x)
del x
print(ref())
keep = Kept()
print("\udcff".encode("utf-8", "surrogateescape"))
def deep(n):
    return fit() / 0 if not n else deep(n - 1)
try:
    deep(3)
finally:
    sys.stderr.write("at last\n")
