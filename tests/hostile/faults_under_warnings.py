import warnings
from engine import fit
warnings.simplefilter("error")
for step in range(2):
    fit()
warnings.warn("an old name", DeprecationWarning)
