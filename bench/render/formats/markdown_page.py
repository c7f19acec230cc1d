"""A document as a Markdown page, or as a part of another one."""

from collections.abc import Iterable, Iterator

from bench.render.document import Document, Table


def dump(document: Document) -> bytes:
    """The whole page as a file, UTF-8; sections of charts alone are left out."""
    verdicts = (verdict.text for verdict in document.verdicts)
    facts = _bullets((*verdicts, *document.facts))
    parts = [f"# {document.title}", *_warnings(document), facts]
    for section in document.sections:
        tables = (*section.tables, *section.folded)
        if tables or section.notes:
            parts += [f"## {section.title}", _bullets(section.notes), *_tables(tables)]
    return _joined(parts).encode()


def brief(document: Document) -> str:
    """Its summary and what that means, for a page about something else."""
    return _joined([*_warnings(document), *_tables(document.summary), _bullets(document.facts)])


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(filter(None, parts)) + "\n"


def _warnings(document: Document) -> Iterator[str]:
    return (f"> **{line}**" for line in document.warnings)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _tables(tables: Iterable[Table]) -> Iterator[str]:
    """For each a heading, its lines and its notes."""
    for table in tables:
        rules = (":--", *("--:" for _ in table.header[1:]))
        rows = table.rows
        lines = "\n".join(map(_line, (table.header, rules, *rows))) if rows else "None."
        yield from (f"### {table.title}", lines, _bullets(table.notes))


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
