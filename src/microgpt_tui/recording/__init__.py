"""Recordings: a run in a file, read lazily, nothing of it executed. docs/recordings.md describes the format."""
