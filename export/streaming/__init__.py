"""Parts of a signal that come out as parts of the whole."""
