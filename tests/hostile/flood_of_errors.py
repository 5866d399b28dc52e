import sys
from engine import fit
for step in range(2):
    fit()
    sys.stderr.write("warning: this again\n" * 5000)
