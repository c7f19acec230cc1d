"""One file per network, which ends in ``NETWORKS``: what can be known of it without PyTorch."""
