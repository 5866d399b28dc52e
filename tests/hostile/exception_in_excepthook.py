import sys
from engine import fit

def hook(kind, value, trace):
    raise RuntimeError("the hook fails too")

sys.excepthook = hook
for step in range(2):
    fit()
raise ValueError("first")
