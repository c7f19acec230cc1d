"""An exported file held against PyTorch in float64, over many shapes."""
