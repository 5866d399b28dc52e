"""The hot hooks and the log that they fill."""
