from engine import fit
for step in range(2):
    fit()
print("half of a pair: \udc80")
