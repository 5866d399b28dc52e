"""Source to instrumented source: a pure function."""
