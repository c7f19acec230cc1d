"""``hifi-bench tune``: parse, one call, render, exit code."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench import options as opts
from bench.exit_code import INTERRUPTED, WRONG_ROW, exit_code
from export import options as opt
from export.option_groups import grouped
from export.selection import Changes, Networks
from hifigan_ref.errors import HifiError
from hifigan_ref.network import BATCH
from hifigan_ref.variant import USUAL, Variant

if TYPE_CHECKING:
    from bench.tune.search import Wish
    from bench.tuning_record import Tuned

ITEMS = 2
AGAIN = "interrupted: what was measured is kept; the same command goes on, without --again"


@grouped
def tune(
    *,
    backend: Annotated[
        str, typer.Option("--backend", help="One that runs the exported file.")
    ] = "ort-cpu",
    batch: Annotated[int | None, typer.Option("--batch", help=f"N; default {ITEMS}.")] = None,
    networks: Networks,
    changes: Changes,
    lengths: opts.Lengths,
    weights: opt.Weights,
    outputs: opt.Outputs,
    threads: opts.Threads = None,
    limit: opts.Limit = 10.0,
    again: Annotated[
        bool, typer.Option("--again", help="Measure what was measured before.")
    ] = False,
    out: opts.Out = Path("reports/tune"),
) -> None:
    """Find the fastest exact form of every layer here: a plan, tuned files, and their proof."""
    from bench.stopping import Limits
    from bench.tune.search import Wish

    Limits.up_to(limit)
    if "," in str(out):
        raise HifiError(f"{out} has a comma, which parts the options of a backend: rename it")
    changes, files = changes.parted()
    variants = networks.select(changes) or tuple(map(Variant, USUAL))
    typical = variants[0].signature.typical
    usual = {BATCH: ITEMS} if BATCH in typical else {}
    sizes = {**typical, **usual, **lengths.sizes(batch)}
    source, cores = weights.of(variants), opts.threads_of(threads)
    wish = Wish(backend, variants, sizes, outputs.views, cores, source, again, files)
    _check(wish, out)
    opt.tell_notes(source)
    _tell(_tuned(wish, out, limit), out)


def _check(wish: "Wish", out: Path) -> None:
    """Refuse what cannot be done, and warn, before anything is measured."""
    from bench.machine import busy
    from export import atomic, memory

    for variant in wish.variants:
        request = wish.request(variant)
        memory.demand(request, request.sizes, in_float64=True)
    wish.weights.check(wish.variants)
    atomic.check_writable(out)
    busy.warn(wish.threads)


def _tuned(wish: "Wish", out: Path, limit: float) -> "Tuned":
    from bench.tune.live import watched
    from bench.tune.run import look, prove

    try:
        return prove(wish, look(wish, lambda steps: watched(steps, wish.floor_db)), out, limit)
    except KeyboardInterrupt:
        typer.echo(AGAIN, err=True)
        raise typer.Exit(INTERRUPTED) from None


def _tell(tuned: "Tuned", out: Path) -> None:
    from bench.render.saved import save
    from bench.render.views import tuning as view
    from bench.tune.run import PLAN

    told = save(view.document(tuned), tuned.tuning, out, "tune")
    names = ", ".join(file.path.name for file in tuned.files)
    typer.echo(f"plan: {out / PLAN}; {names}; {told}")
    if tuned.interrupted:
        typer.echo(AGAIN, err=True)
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(exit_code(tuned.report.results) if tuned.passed else WRONG_ROW)
