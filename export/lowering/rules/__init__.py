"""One rewrite per file; each ends in ``RULES = (...)``."""
