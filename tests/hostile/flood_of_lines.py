from engine import fit
for step in range(2):
    fit()
    for line in range(20000):
        print("line", line)
