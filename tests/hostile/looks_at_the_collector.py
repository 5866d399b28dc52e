import gc, weakref
from engine import fit

class Thing:
    pass

print(gc.isenabled(), gc.get_threshold()[0] > 0)
for step in range(2):
    fit()
    thing = Thing()
    thing.me = thing
    gone = weakref.ref(thing)
    del thing
    gc.collect()
    print(gone() is None, gc.isenabled())
