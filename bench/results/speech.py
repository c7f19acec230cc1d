"""Files of few bits on speech that decided nothing about them, at the levels that networks meet.

Run as ``python -m bench.results.speech docs/results/speech``: other voices and languages by
espeak-ng, every graph in every precision. A stretch is heard at the level that training code gives
a file (a peak of 0.95), at peaks of 0.5 and 0.2, or with noise 20 dB below it, in turn. Writes
``speech.json`` and ``speech.md``; exit code 3 where a stretch misses the budget that is as loud as
the file says.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from bench.exit_code import WRONG_ROW
from bench.machine.survey import this_machine
from bench.results.voices import VOICES, stretches_of
from export import atomic
from export.artifact import Artifact
from export.cache import cached_export
from export.precision.budget import GRAPH_PRECISIONS, PRECISIONS, GraphPrecision
from export.precision.calibration import SEGMENT, Level
from export.precision.plan import PrecisionPlan
from export.request import DEFAULT_OPSET, ExportRequest
from export.runtimes import ONNXRUNTIME
from export.sums import sums_of
from hifigan_ref.rate import CLIP_RATE
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant, all_variants

Floats = NDArray[np.floating]

SCHEMA = 1
NOISE_DB = 20.0
PEAKS = {"peak 0.95": 1.0, "peak 0.5": 0.5 / 0.95, "peak 0.2": 0.2 / 0.95, "noise": 1.0}


@dataclass(frozen=True)
class Row:
    """A file on the stretches of one condition.

    Attributes:
        variant: network.
        precision: of the file.
        lessened: how many of its convolutions are in less than float32, and of how many.
        condition: one of ``PEAKS``.
        budget_db: least SNR of the worst output, dB.
        range_dbfs: loudness of the speech that the file's budget was judged on.
        stretches: how many had sound.
        below: how many of them miss the budget.
        within: how many were as loud as the file says.
        missed: how many of those miss the budget.
        worst_db: SNR of the worst output on the worst stretch, dB.
        worst_dbfs: loudness of that stretch.
    """

    variant: str
    precision: str
    lessened: tuple[int, int]
    condition: str
    budget_db: float
    range_dbfs: tuple[int, int]
    stretches: int
    below: int
    within: int
    missed: int
    worst_db: float
    worst_dbfs: float


def heard(stretches: Level, condition: str) -> Level:
    """Stretches of files with a peak of 0.95, (n, 1, T), in a condition."""
    if condition != "noise":
        return np.asarray(stretches * PEAKS[condition], np.float32)
    noise = np.random.default_rng(0).standard_normal(stretches.shape)
    level = np.sqrt(np.square(stretches, dtype=np.float64).mean(axis=2, keepdims=True))
    return np.asarray(stretches + noise * level * 10 ** (-NOISE_DB / 20), np.float32)


def rows_of(variant: Variant, precisions: Sequence[GraphPrecision], speech: Level) -> Iterator[Row]:
    """Of every precision in every condition."""
    exact = _export(variant, "fp32")
    files = {each: _export(variant, each) for each in precisions}
    runs = {name: ONNXRUNTIME.open(f.path.read_bytes()) for name, f in files.items()}
    plain = ONNXRUNTIME.open(exact.path.read_bytes())
    for number, condition in enumerate(PEAKS):
        levels = heard(speech[number :: len(PEAKS)], condition)
        worst: dict[str, list[float]] = {each: [] for each in precisions}
        for stretch in levels:
            expected = plain({"y": stretch[np.newaxis]})
            for name, run in runs.items():
                found = run({"y": stretch[np.newaxis]})
                ratios = (sums_of(array, found[key]).snr_db for key, array in expected.items())
                worst[name].append(min(ratios))
        dbfs = 10 * np.log10(np.square(levels, dtype=np.float64).mean(axis=(1, 2)))
        for name, file in files.items():
            yield _row(file, condition, np.array(worst[name]), dbfs)


def _row(file: Artifact, condition: str, ratios: Floats, dbfs: Floats) -> Row:
    from bench.file_precisions import convolutions_of

    held = file.manifest
    assert held.judged is not None, "a file in less than float32 was judged"
    within = (dbfs >= held.judged.low) & (dbfs <= held.judged.high)
    counts = convolutions_of(file.path)
    worst = int(ratios.argmin())
    return Row(
        held.variant,
        held.precision.base,
        (counts.total() - counts["fp32"], counts.total()),
        condition,
        held.budget_db,
        (held.judged.low, held.judged.high),
        len(ratios),
        int((ratios < held.budget_db).sum()),
        int(within.sum()),
        int((ratios < held.budget_db)[within].sum()),
        float(ratios[worst]),
        float(dbfs[worst]),
    )


def _export(variant: Variant, precision: GraphPrecision) -> Artifact:
    opset = max(DEFAULT_OPSET, PRECISIONS[precision].opset)
    source = Source()
    request = ExportRequest(variant, opset, precision=PrecisionPlan(precision))
    return cached_export(request, source.identity, source.build)


def markdown(rows: Sequence[Row], seconds: float) -> str:
    """The table."""
    lead = (
        f"{seconds / 60:.1f} minutes of numbers read by {len(VOICES)} voices of espeak-ng, in "
        f"stretches of {SEGMENT} samples, a quarter of them in each condition. Within: as loud as "
        "the file says that its budget was judged."
    )
    head = "graph | precision | layers | speech | stretches | below budget | within, below"
    lines = [lead, "", f"| {head} | worst dB | at dBFS |"]
    lines += ["| :-- | :-- | --: | :-- | --: | --: | --: | --: | --: |"]
    lines += [
        f"| {row.variant} | {row.precision}, {row.budget_db:g} dB | {row.lessened[0]} of "
        f"{row.lessened[1]} | {row.condition} | {row.stretches} | {row.below / row.stretches:.1%} "
        f"| {row.missed} of {row.within} | {row.worst_db:.1f} | {row.worst_dbfs:.0f} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _write(path: Path, rows: Sequence[Row], seconds: float) -> str:
    """What there is so far; the table."""
    page = markdown(rows, seconds)
    record = {
        "schema": SCHEMA,
        "machine": asdict(this_machine()),
        "seconds": seconds,
        "voices": VOICES,
        "rows": [asdict(row) for row in rows],
    }
    content = json.dumps(record, indent=1).encode() + b"\n"
    atomic.write_all({path.with_suffix(".json"): content, path.with_suffix(".md"): page.encode()})
    return page


def main(
    path: Annotated[Path, typer.Argument(help="Where the record goes; .json and .md are added.")],
    variant: Annotated[list[str] | None, typer.Option(help="Network; repeatable.")] = None,
    precision: Annotated[list[str] | None, typer.Option(help="Repeatable.")] = None,
    minutes: Annotated[float, typer.Option(help="Of speech.")] = 10.0,
) -> None:
    """Run everything and write the record."""
    variants = [Variant.parse(name) for name in variant or ()] or list(all_variants())
    lesser = [each for each in GRAPH_PRECISIONS if each != "fp32"]
    chosen = [each for each in lesser if not precision or each in precision]
    speech = stretches_of(minutes * 60)
    rows: list[Row] = []
    for each in variants:
        for row in rows_of(each, chosen, speech):
            rows.append(row)
            typer.echo(f"{row.variant} {row.precision} {row.condition}: worst {row.worst_db:.1f}")
        page = _write(path, rows, speech.size / CLIP_RATE)
    typer.echo(page)
    raise typer.Exit(WRONG_ROW if any(row.missed for row in rows) else 0)


if __name__ == "__main__":
    typer.run(main)
