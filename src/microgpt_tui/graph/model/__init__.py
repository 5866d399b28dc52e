"""The figure of the model: what its computation consists of, and how that is drawn on a slide."""
