from engine import fit
for step in range(2):
    fit()
    for part in range(2000):
        print("x" * 500, end="")
