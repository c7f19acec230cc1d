"""Which layers of a network may be computed in less than float32, by measured error and time."""
