"""One file per runtime; each that can be measured ends in ``BACKENDS``."""
