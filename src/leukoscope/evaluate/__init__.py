"""Labels and probabilities to numbers: no files, no plots, no tensors."""
