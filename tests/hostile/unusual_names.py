from engine import fit
__builtins__ = None
__name__ = "renamed"
__file__ = None
for step in range(2):
    print(fit())
