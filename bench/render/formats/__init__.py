"""A document on its way out: one file for each format, whatever the document is about."""
