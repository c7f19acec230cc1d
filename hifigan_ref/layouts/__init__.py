"""One file per layout of training checkpoints, which ends in ``LAYOUT``."""
