from engine import fit
def zip(*args): raise RuntimeError("shadowed")
def len(x): return 42
def range(n): return [0, 1]
list = sum = isinstance = sorted = None
for step in range(9):
    print(step, len([]), fit())
