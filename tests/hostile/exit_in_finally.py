import sys
from engine import fit
try:
    for step in range(3):
        fit()
        raise ValueError("lost")
finally:
    sys.exit(9)
