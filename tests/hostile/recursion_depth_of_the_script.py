import sys
from engine import fit

def depth(n=0):
    try:
        return depth(n + 1)
    except RecursionError:
        return n

sys.setrecursionlimit(300)
print(depth())
for step in range(2):
    fit()
    print(depth())
