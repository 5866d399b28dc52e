import os
from engine import fit
for step in range(3):
    if step == 1:
        os.remove(__file__)
    print(fit())
{}[0]
