"""A raw log into the columns of a trace."""
