"""What to draw of a computation graph, where, and as what: selections, folding, layout, DOT, pictures."""
