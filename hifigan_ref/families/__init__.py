"""One file per network family: what can be known of it without PyTorch."""
