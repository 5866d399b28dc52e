from engine import Value
a = Value(2.0) * 3
print(a.data)
