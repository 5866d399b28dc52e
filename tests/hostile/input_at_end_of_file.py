from engine import fit
for step in range(3):
    fit()
    input("learning rate? ")
