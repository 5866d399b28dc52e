import sys
from engine import fit
for step in range(3):
    fit()
    if step == 1:
        sys.stdout.close()
        print("nobody hears this")
