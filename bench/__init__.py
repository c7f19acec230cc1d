"""Times every runtime by the same clock and checks it against PyTorch in float64."""
