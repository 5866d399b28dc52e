from .number import Value
