from engine import fit
for step in range(3):
    fit()
    if step:
        raise KeyboardInterrupt
