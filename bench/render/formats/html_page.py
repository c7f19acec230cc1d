"""A document as one HTML file that needs no network: tables, charts and what draws them."""

import re

from bench.render.document import Document, Value, is_empty

MOST_OPEN = 4  # charts or names of tables in a section; the others open on demand


def dump(document: Document) -> bytes:
    """The page as a file, UTF-8."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from plotly.offline import get_plotlyjs
    from pydantic_core import to_json

    pages = Environment(
        loader=PackageLoader("bench.render", "html_template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.tests["number"] = is_number
    pages.filters["anchor"] = lambda title: re.sub(r"\W+", "-", title.lower())
    # JSON has no infinity
    pages.policies["json.dumps_function"] = lambda it, **_: to_json(it).decode()
    page = pages.get_template("page.html")
    return page.render(it=document, plotly=get_plotlyjs(), most_open=MOST_OPEN).encode()


def is_number(value: Value) -> bool:
    """Whether it stands on the right: a number, a record of numbers, or the lack of one."""
    return is_empty(value) or not isinstance(value, str | bool)
