"""Chunks of every generator beside the whole signal, of each size, kind and precision.

Run as ``python -m bench.results.streaming docs/results/streaming/exact``: writes the record
(``.json``, ``.md``) after every network; exit code 3 where a row is below its budget. A row's file
is verified as it is written; then a signal of random length goes through the files of a network in
random order of their sizes where they have states, and in chunks where they have none.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from bench.exit_code import WRONG_ROW
from bench.machine.survey import this_machine
from export import atomic, scratch
from export.selection import Changes
from hifigan_ref.source import Source

if TYPE_CHECKING:
    import onnxruntime as ort

    from export.pipeline import Exported
    from export.request import ExportRequest
    from hifigan_ref.trained import Trained

SIZES = (1, 2, 3, 8, 20, 64)
FEWER_BITS = 8  # frames of a chunk there
NETWORKS = ("generator-v1", "generator-v2", "generator-v3", "vits-decoder-speakers")
BATCH = 3
LONGEST = 150  # frames of a random signal
SPLITS = 3  # signals of each
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Row:
    """One kind of file of one network.

    Attributes:
        network: its name.
        kind: ``context`` or ``states``.
        chunk: frames; None for files of every size in turn.
        precision: of its layers.
        bar_db: least SNR that is asked for, dB.
        snr_db: of the worst chunk of the signals that the export computes in both runtimes, or of
            random signals in onnxruntime, dB.
        batch: items.
    """

    network: str
    kind: str
    chunk: int | None
    precision: str
    bar_db: float
    snr_db: float
    batch: int


def rows_of(name: str) -> Iterator[Row]:
    """Every row of a network."""
    from export.precision.plan import PrecisionPlan
    from export.request import ExportRequest

    variant = Changes().of(name)
    trained = Source.of([variant], None, 0).build(variant)
    name = variant.stated
    plain = ExportRequest(variant, 22, target="openvino")
    for kind in ("context", "states"):
        with scratch.folder() as folder:
            paths = {size: folder / f"{size}.onnx" for size in SIZES}
            for size, path in paths.items():
                made = _export(plain, size, kind, trained, path)
                yield _row(name, kind, size, "fp32", made)
            worst = min(_random(paths, kind, trained, plain, seed) for seed in range(SPLITS))
            yield Row(name, kind, None, "fp32", plain.budget_db, worst, BATCH)
            for precision in ("fp16", "bf16", "int8"):
                plan = PrecisionPlan(precision)
                lower = ExportRequest(variant, 22, precision=plan)
                made = _export(lower, FEWER_BITS, kind, trained, folder / "few.onnx")
                yield _row(name, kind, FEWER_BITS, precision, made)


def _row(name: str, kind: str, size: int, precision: str, made: "Exported") -> Row:
    found = made.verification
    assert found.promised_db is not None
    return Row(name, kind, size, precision, found.promised_db, found.snr_db, 2)


def _export(
    request: "ExportRequest", size: int, kind: str, trained: "Trained", path: Path
) -> "Exported":
    from export.stream_record import ChunkPlan
    from export.streaming.write import export_chunk

    return export_chunk(request, ChunkPlan(size, stateful=kind == "states"), trained, path)


def _random(
    paths: Mapping[int, Path], kind: str, trained: "Trained", request: "ExportRequest", seed: int
) -> float:
    """SNR of a signal of random length, split at random, dB."""
    import onnxruntime as ort

    from export.interface import interface
    from export.torch_outputs import example_inputs, run_in_float64
    from export.verify import snr_db

    rng = np.random.default_rng(seed)
    length = int(rng.integers(1, LONGEST))
    sizes = {**request.sized({"batch": BATCH}), "frames": length}
    inputs = example_inputs(request, sizes)
    whole = run_in_float64(interface(trained.module, request), inputs)["audio"]
    sessions = {n: ort.InferenceSession(path) for n, path in paths.items()}
    if kind == "context":
        size = int(rng.choice(SIZES))
        found = _in_context(sessions[size], inputs, size, length)
    else:
        found = _in_turn(sessions, inputs, length, rng)
    return float(snr_db(whole, found[..., : whole.shape[-1]].astype(np.float64)))


def _in_context(
    session: "ort.InferenceSession", inputs: Mapping[str, Floats], size: int, length: int
) -> Floats:
    timed = next(iter(inputs))
    around = (session.get_inputs()[0].shape[2] - size) // 2
    wide = np.pad(inputs[timed], [(0, 0), (0, 0), (around, around + size)])
    parts = []
    for first in range(0, length, size):
        ends = {"past": np.full(BATCH, first), "remaining": np.full(BATCH, length - first)}
        part = wide[:, :, first : first + size + 2 * around]
        parts.append(session.run(["audio"], {**inputs, timed: part, **ends})[0])
    return np.concatenate(parts, 2)


def _in_turn(
    sessions: "Mapping[int, ort.InferenceSession]",
    inputs: Mapping[str, Floats],
    length: int,
    rng: np.random.Generator,
) -> Floats:
    any_of_them = next(iter(sessions.values()))
    states = {
        each.name: np.zeros((BATCH, *each.shape[1:]), np.int64 if "int" in each.type else "f")
        for each in any_of_them.get_inputs()
        if each.name.startswith("state_")
    }
    names = [each.name for each in any_of_them.get_outputs()]
    manifest = json.loads(any_of_them.get_modelmeta().custom_metadata_map["hifi-export.manifest"])
    delay = manifest["stream"]["delays"]["audio"]
    timed, first = next(iter(inputs)), 0
    parts: list[Floats] = []
    wide = np.pad(inputs[timed], [(0, 0), (0, 0), (0, 2 * max(sessions) + delay)])
    while sum(part.shape[2] for part in parts) < delay + 256 * length:
        size = int(rng.choice(list(sessions)))
        part = {
            timed: wide[:, :, first : first + size],
            "remaining": np.full(BATCH, length - first),
        }
        made = sessions[size].run(None, {**inputs, **part, **states})
        found = dict(zip(names, made, strict=True))
        states = {name: found[f"next_{name}"] for name in states}
        parts.append(found["audio"])
        first += size
    return np.concatenate(parts, 2)[:, :, delay:]


def markdown(rows: tuple[Row, ...]) -> str:
    """The table."""
    machine = this_machine()
    lines = [
        f"Worst chunk beside the whole in PyTorch in float64, on {machine.cpu}; onnxruntime and",
        "OpenVINO, onnxruntime alone for fewer bits and random splits.",
        "",
        "| network | kind | frames a chunk | precision | batch | worst dB | asked dB |",
        "| :-- | :-- | --: | :-- | --: | --: | --: |",
    ]
    lines += [
        f"| {row.network} | {row.kind} | {row.chunk or 'random'} | {row.precision} | {row.batch} "
        f"| {row.snr_db:.1f} | {row.bar_db:g} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def main(
    path: Annotated[Path, typer.Argument(help="Where the record goes; .json and .md are added.")],
    network: Annotated[list[str] | None, typer.Option(help="Repeatable.")] = None,
) -> None:
    """Run everything and write the record."""
    rows: list[Row] = []
    for name in network or NETWORKS:
        for row in rows_of(name):
            typer.echo(f"{row.network} {row.kind} {row.chunk} {row.precision}: {row.snr_db:.1f} dB")
            rows.append(row)
            record = {"machine": asdict(this_machine()), "rows": [asdict(each) for each in rows]}
            files = {".json": json.dumps(record, indent=1).encode() + b"\n"}
            files[".md"] = markdown(tuple(rows)).encode()
            atomic.write_all({path.with_suffix(end): held for end, held in files.items()})
    passed = all(row.snr_db >= row.bar_db for row in rows)
    raise typer.Exit(0 if passed else WRONG_ROW)


if __name__ == "__main__":
    typer.run(main)
