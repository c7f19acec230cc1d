"""``hifi-bench tune``: parse, one call, render, exit code."""

from pathlib import Path
from typing import Annotated

import typer

from bench import options as opts
from bench.exit_code import INTERRUPTED, WRONG_ROW, exit_code
from export import options as opt
from hifigan_ref.errors import HifiError
from hifigan_ref.network import BATCH
from hifigan_ref.source import Source
from hifigan_ref.variant import USUAL, Variant

ITEMS = 2
Tunable = Annotated[str, typer.Option("--backend", help="One that runs the exported file.")]
OneBatch = Annotated[int | None, typer.Option("--batch", help=f"N; default {ITEMS}.")]
Again = Annotated[bool, typer.Option("--again", help="Measure what was measured before.")]
AGAIN = "interrupted: what was measured is kept; the same command goes on, without --again"


def tune(
    backend: Tunable = "ort-cpu",
    batch: OneBatch = None,
    period: opt.Period = None,
    scale: opt.Scale = None,
    model: opt.ModelOption = None,
    network: opt.Network = None,
    input: opt.Input = None,  # noqa: A002 - as it is typed
    config: opt.Config = None,
    speaker: opt.Speaker = None,
    samples: opts.Samples = None,
    axis: opt.AxisOption = None,
    checkpoint: opt.CheckpointOption = None,
    seed: opt.Seed = 0,
    outputs: opt.OutputsOption = opt.Outputs.all,
    pair: opt.Pair = False,
    threads: opts.Threads = None,
    limit: opts.Limit = 10.0,
    again: Again = False,
    out: opts.Out = Path("reports/tune"),
) -> None:
    """Find the fastest exact form of every layer here: a plan, tuned files, and their proof."""
    from bench.machine import busy
    from bench.machine.survey import usable_cores
    from bench.render.saved import save
    from bench.render.views import tuning as view
    from bench.stopping import Limits
    from bench.tune.live import watched
    from bench.tune.run import PLAN, look, prove
    from bench.tune.search import Wish
    from export import atomic, memory
    from export.request import views_of

    Limits.up_to(limit)
    if "," in str(out):
        raise HifiError(f"{out} has a comma, which parts the options of a backend: rename it")
    variants = tuple(
        opt.select(period, scale, model, network, input, config, speaker) or map(Variant, USUAL)
    )
    source = Source.of(variants, checkpoint, seed)
    typical = variants[0].signature.typical
    usual = {BATCH: ITEMS} if BATCH in typical else {}
    sizes = {**typical, **usual, **opt.sizes_of(batch, samples, axis)}
    wish = Wish(
        backend,
        variants,
        sizes,
        views_of(outputs.value, pair),
        usable_cores() if threads is None else threads,
        source,
        again,
    )
    for variant in wish.variants:
        request = wish.request(variant)
        memory.demand(request, request.sizes, in_float64=True)
    wish.weights.check(wish.variants)
    opt.tell_notes(source)
    atomic.check_writable(out)
    busy.warn(wish.threads)
    try:
        tuning = look(wish, lambda steps: watched(steps, wish.floor_db))
        tuned = prove(wish, tuning, out, limit)
    except KeyboardInterrupt:
        typer.echo(AGAIN, err=True)
        raise typer.Exit(INTERRUPTED) from None
    told = save(view.document(tuned), tuned.tuning, out, "tune")
    names = ", ".join(file.path.name for file in tuned.files)
    typer.echo(f"plan: {out / PLAN}; {names}; {told}")
    if tuned.interrupted:
        typer.echo(AGAIN, err=True)
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(exit_code(tuned.report.results) if tuned.passed else WRONG_ROW)
