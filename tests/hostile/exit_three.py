import sys
from engine import fit
for step in range(3):
    print("step", step, fit())
    if step == 1:
        sys.exit(3)
