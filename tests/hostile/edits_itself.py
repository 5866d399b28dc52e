from pathlib import Path
from engine import fit
for step in range(3):
    if step == 1:
        own = Path(__file__)
        own.write_text("# nothing is left\n" * 3 + "raise SystemError\n")
    print(fit())
1 / 0
