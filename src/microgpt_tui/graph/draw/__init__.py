"""Drawing without an engine: shapes on a sheet, one font for measuring and drawing, and writers of files."""
