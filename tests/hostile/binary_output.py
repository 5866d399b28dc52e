import sys
from engine import fit
for step in range(2):
    sys.stdout.buffer.write(bytes(range(256)) * 4 + b"\n")
    fit()
