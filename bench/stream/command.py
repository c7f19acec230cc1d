"""``hifi-bench stream``: parse, one call, render, exit code."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench import options as opts
from bench.exit_code import INTERRUPTED, NOTHING_MEASURED, WRONG_ROW
from export import options as opt
from export.option_groups import grouped, option
from export.selection import Changes, Networks
from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    from bench.stream.wish import Wish
    from bench.streaming_record import Streaming

AGAIN = "interrupted: nothing was saved, exported files are kept"
BACKENDS = ("ort-cpu", "openvino")
CHUNKS = (1, 8, 32)


@dataclass(frozen=True)
class Chunks:
    """What is computed at once, and where; each field is an option."""

    backend: list[str] | None = option(
        None, f"Repeatable; default: {' and '.join(BACKENDS)}.", metavar="NAME[:OPTION=VALUE,...]"
    )
    precision: list[str] | None = option(
        None, "Of every backend; repeatable.", metavar="fp32|bf16|int8|PLAN"
    )
    chunk: list[int] | None = option(
        None, f"Frames; repeatable; default: {', '.join(map(str, CHUNKS))}."
    )
    seconds: float | None = option(None, "Of the signal; default: 4.")
    rate: int | None = option(
        None, "Of the audio, where the network does not say it: 22050.", metavar="HZ"
    )
    axis: list[str] | None = option(
        None, "The signal's length in elements: frames=344.", metavar="NAME=LENGTH"
    )


@grouped
def stream(
    *,
    networks: Networks,
    changes: Changes,
    weights: opt.Weights,
    chunks: Chunks,
    threads: opts.Threads = None,
    limit: opts.Limit = 10.0,
    rounds: Annotated[int, typer.Option("--rounds", help="In which all take turns.")] = 5,
    out: opts.Out = Path("reports/stream"),
    as_json: opt.JsonOption = False,
) -> None:
    """Measure what it costs to compute a signal in chunks: latency, speed, work done twice.

    hifi-bench stream --network generator-v3 --backend ort-cpu --chunk 1 --chunk 8

    hifi-bench stream --network generator-v1 --checkpoint g_02500000 --seconds 10 --out streaming
    """
    from bench.choice import check, in_precisions
    from bench.machine import busy
    from bench.stopping import Limits
    from bench.stream.wish import Wish
    from export import atomic

    limits = Limits.up_to(limit)
    changes, files = changes.parted()
    variants = networks.select(changes)
    if len(variants) != 1:
        raise HifiError(
            f"{len(variants)} networks: one is measured at a time: name it with --network"
        )
    specs, wanted = chunks.backend or BACKENDS, chunks.precision or ()
    check(specs, wanted)
    wish = Wish(
        in_precisions(specs, wanted),
        variants[0],
        tuple(dict.fromkeys(CHUNKS if chunks.chunk is None else chunks.chunk)),
        chunks.seconds,
        chunks.rate,
        dict(map(opt.axis_length, chunks.axis or ())),
        opts.threads_of(threads),
        limits,
        rounds,
        weights.of(variants),
        files,
    )
    atomic.check_writable(out)
    wish.weights.check(variants)
    opt.tell_notes(wish.weights)
    busy.warn(wish.threads)
    _tell(_measured(wish), out, as_json)


def _measured(wish: "Wish") -> "Streaming":
    from bench.bar import shown
    from bench.stream.run import measure
    from bench.streaming_record import Streaming

    try:
        *_, found = shown(measure(wish), lambda _: None)
    except KeyboardInterrupt:
        typer.echo(AGAIN, err=True)
        raise typer.Exit(INTERRUPTED) from None
    assert isinstance(found, Streaming)
    return found


def _tell(found: "Streaming", out: Path, as_json: bool) -> None:
    from bench.render.saved import save
    from bench.render.views import streaming as view

    typer.echo(save(view.document(found), found, out, "stream", as_json))
    if not found.rows:
        raise typer.Exit(NOTHING_MEASURED)
    raise typer.Exit(WRONG_ROW if found.missing or not all(r.passed for r in found.rows) else 0)
