"""The operations that a graph may hold: how each is written, what it means, what it costs."""
