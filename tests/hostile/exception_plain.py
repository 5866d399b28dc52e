from engine import fit
for step in range(3):
    print(step, fit())
    if step == 1:
        {}["missing"]
