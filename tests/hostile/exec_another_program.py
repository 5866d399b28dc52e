import os, sys
from engine import fit
for step in range(2):
    fit()
sys.stdout.flush()
os.execv(sys.executable, [sys.executable, "-c", "print('another program')"])
