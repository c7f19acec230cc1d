"""What is shown, whatever shows it: facts, tables of raw values and charts, as frozen records."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bench.hole import Skipped

EMPTY = "-"
Value = Any
"""A number in its SI unit, a text, or a record that the column's form takes apart."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: its heading, with the unit.
        of: where the value is in what a row is about, names of attributes and places with dots
            between them, or what takes it; ``Skipped`` and None, on the way too, are empty cells.
        form: how a number is written, or a record of numbers, for ``str.format``.
        scale: what a number is multiplied by first, from its SI unit to the heading's.
        spare: columns from 1 up are left out in this order where a terminal is too narrow.
        missing: written in an empty cell.
    """

    name: str
    of: str | Callable[[Any], Value]
    form: str = "{}"
    scale: float = 1
    spare: int = 0
    missing: str = EMPTY

    def value(self, about: Any) -> Value:
        """Of one row, raw."""
        if callable(self.of):
            return self.of(about)
        for name in self.of.split("."):
            about = about[int(name)] if name.isdigit() else getattr(about, name)
            if is_empty(about):
                break
        return about

    def text(self, value: Value) -> str:
        """A cell as every page and the terminal show it."""
        if is_empty(value):
            return self.missing
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, str):
            return value
        return self.form.format(value if self.scale == 1 else value * self.scale)


@dataclass(frozen=True)
class Table:
    """Rows about alike things; the first column names them.

    Attributes:
        title: above it.
        columns: what is shown of each thing.
        about: the things, one for each row.
        notes: below it, a line each.
    """

    title: str
    columns: tuple[Column, ...]
    about: tuple[Any, ...]
    notes: tuple[str, ...] = ()

    @property
    def header(self) -> tuple[str, ...]:
        """One text per column."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def values(self) -> tuple[tuple[Value, ...], ...]:
        """Raw, a line for each row."""
        return tuple(tuple(column.value(each) for column in self.columns) for each in self.about)

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """As they are shown."""
        return tuple(
            tuple(column.text(value) for column, value in zip(self.columns, row, strict=True))
            for row in self.values
        )


@dataclass(frozen=True)
class Key:
    """An entry of a chart's key: what traces of one name look like.

    Attributes:
        name: of the traces, as plain text.
        mark: a character that looks like them.
        colour: of the mark.
    """

    name: str
    mark: str
    colour: str


@dataclass(frozen=True)
class Chart:
    """A chart of a page.

    Attributes:
        title: above it.
        figure: as plotly takes it; the page adds the theme.
        keys: what its traces are; the figure groups them by these names.
        notes: below it, a line each.
    """

    title: str
    figure: dict[str, Any]
    keys: tuple[Key, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        title: its heading.
        lead: how to read its charts.
        charts: the first of them open.
        notes: a line each.
        tables: below the charts.
        folded: tables that open on demand where a page can do that.
    """

    title: str
    lead: str = ""
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: tuple[Table, ...] = ()

    @property
    def filled(self) -> bool:
        """Whether there is something below the heading."""
        return any((self.charts, self.notes, self.tables, self.folded))


@dataclass(frozen=True)
class Verdict:
    """A line that says whether all is well.

    Attributes:
        text: the line.
        good: whether it is.
    """

    text: str
    good: bool


@dataclass(frozen=True)
class Document:
    """A record as it is shown.

    Attributes:
        title: above everything.
        facts: under which conditions, a line each.
        summary: the tables that a terminal shows, or a page about something else.
        sections: everything, as a page shows it.
        tool: what wrote the record.
        warnings: what must be known before any number.
        verdicts: what it comes to.
        flat: what a spreadsheet reads, if that is of use: raw values, a line for each measurement.
    """

    title: str
    facts: tuple[str, ...]
    summary: tuple[Table, ...]
    sections: tuple[Section, ...] = ()
    tool: str = ""
    warnings: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    flat: Table | None = None


def is_empty(value: Value) -> bool:
    """Whether there is no value: it was skipped, or there never was one."""
    return value is None or isinstance(value, Skipped)


def ms(name: str, of: str | Callable[[Any], Value], spare: int = 0) -> Column:
    """A column of times in seconds, shown in milliseconds."""
    return Column(name, of, "{:.2f}", 1e3, spare)


def plain(title: str, header: tuple[str, ...], rows: Iterable[tuple[Value, ...]]) -> Table:
    """A table of rows that are tuples of texts."""
    columns = tuple(Column(name, str(place)) for place, name in enumerate(header))
    return Table(title, columns, tuple(rows))


def filled(*tables: Table) -> tuple[Table, ...]:
    """Those that have rows."""
    return tuple(table for table in tables if table.about)
