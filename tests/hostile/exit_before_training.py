import sys
from engine import fit
if len(sys.argv) < 2:
    print("usage: exit_before_training.py CORPUS", file=sys.stderr)
    sys.exit(2)
for step in range(2):
    fit()
