import builtins
from engine import fit
kept = print
for name in ("zip", "sum", "isinstance", "list"):
    delattr(builtins, name)
try:
    for step in range(2):
        fit()
except NameError as error:
    kept(type(error).__name__)
