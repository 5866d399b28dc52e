"""Runs the script as ``__main__``, stops it, answers questions about it."""
