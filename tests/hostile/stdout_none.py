import sys
from engine import fit
sys.stdout = None
for step in range(3):
    print("into nothing", fit())
