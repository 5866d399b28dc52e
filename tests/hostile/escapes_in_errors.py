import sys
from engine import fit
for step in range(2):
    fit()
    print("\x1b]2;a title\x07\x1b[?1049h\rhidden", file=sys.stderr)
