"""Every graph at short and at odd lengths, in every runtime of this machine's CPU.

Run as ``python -m bench.results.lengths docs/results/lengths``: all ten graphs, as exported and by
the default plan of each runtime, beside PyTorch in float64; then every form of every layer alone.
Writes ``lengths.json`` and ``lengths.md``, after every graph what there is; exit code 3 where
anything is below 100 dB.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from bench.exit_code import WRONG_ROW
from bench.machine.survey import this_machine
from bench.results.lengths_files import BAR_DB, Row, rows_of
from bench.results.lengths_forms import FormRow, form_rows
from export import atomic
from export.runtimes import on_cpu
from export.targets import TARGETS
from hifigan_ref.errors import HifiError
from hifigan_ref.variant import Variant, all_variants

SCHEMA = 1


@dataclass(frozen=True)
class Found:
    """Everything that was run.

    Attributes:
        rows: of whole graphs.
        forms: of layers alone.
    """

    rows: tuple[Row, ...]
    forms: tuple[FormRow, ...]

    @property
    def passed(self) -> bool:
        """Whether all of it is at the bar or above."""
        ratios = [row.snr_db for row in self.rows] + [form.snr_db for form in self.forms]
        return all(ratio >= BAR_DB for ratio in ratios)


def markdown(found: Found) -> str:
    """Both tables."""
    machine = this_machine()
    lines = [
        f"Worst output beside PyTorch in float64, on {machine.cpu} ({' '.join(machine.features)}).",
        "",
        "| graph | runtime | plan | shapes | lengths | worst dB | output | at N x T | 100 dB |",
        "| :-- | :-- | :-- | :-- | --: | --: | :-- | --: | :-- |",
    ]
    lines += [
        f"| {row.variant} | {row.runtime} | {row.plan} | {_shapes(row.fixed)} | {row.lengths} "
        f"| {row.snr_db:.1f} | {row.output} | {row.batch} x {row.samples} "
        f"| {_verdict(row.snr_db)} |"
        for row in found.rows
    ]
    lines += [
        "",
        "| form of a layer alone | runtime | shapes | layers | worst dB | layer | width | 100 dB |",
        "| :-- | :-- | :-- | --: | --: | :-- | --: | :-- |",
    ]
    lines += [
        f"| {form.form} | {form.runtime} | {_shapes(form.fixed)} | {form.layers} "
        f"| {form.snr_db:.1f} | {form.layer} | {form.width} | {_verdict(form.snr_db)} |"
        for form in found.forms
    ]
    return "\n".join(lines) + "\n"


def dump(found: Found) -> bytes:
    """Every number."""
    record = {
        "schema": SCHEMA,
        "machine": asdict(this_machine()),
        "rows": [asdict(row) for row in found.rows],
        "forms": [asdict(row) for row in found.forms],
    }
    return json.dumps(record, indent=1).encode() + b"\n"


def _shapes(fixed: bool) -> str:
    return "fixed" if fixed else "dynamic"


def _verdict(ratio: float) -> str:
    return "yes" if ratio >= BAR_DB else "NO"


def _told(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        typer.echo(
            f"{row.variant} {row.runtime} {row.plan} {_shapes(row.fixed)}: {row.snr_db:.1f} dB, "
            f"{row.output} at {row.batch} x {row.samples}"
        )
        yield row


def _write(path: Path, found: Found) -> str:
    page = markdown(found)
    files = {".json": dump(found), ".md": page.encode()}
    atomic.write_all({path.with_suffix(end): content for end, content in files.items()})
    return page


def _backends(named: Sequence[str]) -> tuple[str, ...]:
    """Raises HifiError for one that has no runtime here."""
    here = tuple(name for name in TARGETS if on_cpu(name))
    for name in named:
        if name not in here:
            raise HifiError(f"{name} runs nothing on this CPU: choose from {', '.join(here)}")
    return tuple(named) or here


def main(
    path: Annotated[Path, typer.Argument(help="Where the record goes; .json and .md are added.")],
    variant: Annotated[list[str] | None, typer.Option(help="Network; repeatable.")] = None,
    backend: Annotated[list[str] | None, typer.Option("--for", help="Runtime; repeatable.")] = None,
    forms: Annotated[bool, typer.Option(help="Layers alone too.")] = True,
) -> None:
    """Run everything and write the record."""
    names = _backends(backend or ())
    variants = [Variant.parse(name) for name in variant or ()] or list(all_variants())
    rows: list[Row] = []
    for each in variants:
        rows += _told(rows_of(each, names))
        _write(path, Found(tuple(rows), ()))
    found = Found(tuple(rows), tuple(form_rows(names)) if forms else ())
    page = _write(path, found)
    typer.echo(page)
    raise typer.Exit(0 if found.passed else WRONG_ROW)


if __name__ == "__main__":
    typer.run(main)
