"""Exact rewrites of the graph: the same numbers, computed in another form."""
