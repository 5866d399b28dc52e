import sys
from engine import fit
for step in range(3):
    print("step", step, fit())
sys.exit("the corpus is exhausted")
