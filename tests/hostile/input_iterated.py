import sys
from engine import fit
lines = [line for line in sys.stdin]
for step in range(2):
    print(len(lines), fit())
