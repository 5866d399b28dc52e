import sys
from engine import fit
for step in range(2):
    print("step", step, fit())
sys.exit(2**40 + 5)
