"""The flat table of a document as comma-separated values, by RFC 4180."""

import csv
from io import StringIO

from bench.render.document import Document, Value, is_empty


def dump(document: Document) -> bytes:
    """A header and a line for each row, UTF-8; numbers are raw, and what is missing is empty."""
    page = StringIO()
    writer = csv.writer(page)
    if document.flat is not None:
        writer.writerow(document.flat.header)
        writer.writerows(map(_cell, row) for row in document.flat.values)
    return page.getvalue().encode()


def _cell(value: Value) -> Value:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if is_empty(value) else value
