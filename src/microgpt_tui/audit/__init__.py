"""What is wrong: gradients that do not fit, and where a NaN comes from."""
