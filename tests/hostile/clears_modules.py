import sys
from engine import fit
for name in list(sys.modules):
    if name not in ("builtins", "sys", "__main__", "engine"):
        del sys.modules[name]
for step in range(2):
    print(fit())
