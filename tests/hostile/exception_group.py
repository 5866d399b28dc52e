from engine import fit
for step in range(2):
    fit()
raise ExceptionGroup("several", [ValueError("one"), TypeError("two")])
