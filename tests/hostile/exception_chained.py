from engine import fit
for step in range(3):
    fit()
    try:
        1 / 0
    except ZeroDivisionError as cause:
        raise RuntimeError("while dividing") from cause
