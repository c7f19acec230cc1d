"""The command lines ``hifi-export`` and ``hifi-bench``: parse, one call, render, exit code.

Exit codes: 0 fine; 1 an error that the message explains; 2 wrong usage; 3 a row failed parity or
ran something else than asked; 4 compare found a regression; 5 nothing could be measured.
"""

import errno
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench import options as opts
from bench.exit_code import INTERRUPTED, REGRESSION, WRONG_ROW, WRONG_USAGE, exit_code
from bench.stream.command import stream
from bench.tune.command import tune
from export import cache_commands, scratch
from export import options as opt
from export.engine_command import trt
from export.option_groups import grouped
from export.selection import Changes, FilePart, Networks, tell_equality
from hifigan_ref.errors import HifiError, UsageError
from hifigan_ref.source import Source
from hifigan_ref.variant import USUAL, Variant

if TYPE_CHECKING:
    from bench.suite import Plan
    from export.choice import Wish
    from export.request import ExportRequest
    from export.stream_record import ChunkPlan

_SETTINGS = {"no_args_is_help": True, "add_completion": False, "pretty_exceptions_enable": False}
export_app = typer.Typer(
    help="HiFi-GAN's networks from PyTorch to other runtimes.",
    rich_markup_mode=None,
    **_SETTINGS,  # type: ignore[arg-type]
)
export_app.add_typer(cache_commands.app, name="cache")
bench_app = typer.Typer(
    help="Time every runtime by one clock and check it against PyTorch in float64.",
    rich_markup_mode=None,
    **{**_SETTINGS, "no_args_is_help": False},  # type: ignore[arg-type]
)


@export_app.callback()
def export_root(version: opt.Version = False) -> None:
    """Options of the program as a whole."""
    del version


@export_app.command("onnx")
@grouped
def export_onnx(
    *,
    networks: Networks,
    part: FilePart,
    changes: Changes,
    weights: opt.Weights,
    opset: opt.Opset = 18,
    batch: opt.Batch = None,
    lengths: opt.Lengths,
    outputs: opt.Outputs,
    form: opt.Form,
    made: opt.Made,
    as_json: opt.JsonOption = False,
) -> None:
    """Export to ONNX: all ten graphs, or those that are named."""
    from export.request import ExportRequest
    from export.stream_record import plan_of
    from hifigan_ref.variant import all_variants

    variants = networks.with_file(part).select(changes) or all_variants()
    sizes, views = lengths.sizes(batch), outputs.views
    places = dict(zip(variants, onnx_paths(made.out, variants), strict=True))
    plain = ExportRequest(variants[0], opset, sizes, views, min_snr_db=form.min_snr)
    stream = plan_of(made.chunk, made.context, made.stateful, form.min_snr)
    source = weights.of(variants)
    if form.precision != opt.MIXED:
        _export_plain(form.wish(made.target), plain, places, source, stream, as_json)
    elif stream is not None:
        raise HifiError(
            "--chunk with --precision mixed: search without a chunk first, then name its plan with "
            "--precision"
        )
    else:
        _search_mixed(form.wish(made.target), plain, places, source, as_json)


def onnx_paths(out: Path, variants: Sequence[Variant]) -> list[Path]:
    """Where each graph goes. Raises HifiError where the name of one file is given for several."""
    if out.suffix.lower() != ".onnx":
        return [out / f"{variant}.onnx" for variant in variants]
    if len(variants) > 1:
        raise HifiError(f"{out} is one file for {len(variants)} graphs: give a folder or one graph")
    return [out]


def _export_plain(
    wish: "Wish",
    like: "ExportRequest",
    places: dict[Variant, Path],
    source: Source,
    stream: "ChunkPlan | None",
    as_json: bool,
) -> None:
    """Export each network as asked, or a chunk of it."""
    from export import atomic
    from export.as_text import export_line
    from export.choice import choose
    from export.streaming.write import export_part

    plan = choose(wish)
    asked = replace(like, lowering=plan.lowering, precision=plan.precision, target=wish.backend)
    requests = [replace(asked, variant=variant) for variant in places]
    atomic.check_writable(places[like.variant].parent)
    source.check(tuple(places))
    opt.tell_notes(source)
    tell_equality(places)
    manifests = []
    for request in requests:
        trained = source.build(request.variant)
        exported = export_part(request, stream, trained, places[request.variant])
        manifests.append(exported.artifact.describe())
        if not as_json:
            typer.echo(export_line(exported))
    if as_json:
        typer.echo(json.dumps(manifests[0] if len(manifests) == 1 else manifests, indent=2))


def _search_mixed(
    wish: "Wish", like: "ExportRequest", places: dict[Variant, Path], source: Source, as_json: bool
) -> None:
    """Search a precision for each layer, and export what was found."""
    from bench.mix.command import INTERRUPTED_SEARCH, export_mixed
    from bench.mix.run import PLAN
    from bench.render.saved import save
    from bench.render.views import mixed

    tell_equality(places)
    try:
        found = export_mixed(wish, like, places, source)
    except KeyboardInterrupt:
        typer.echo(INTERRUPTED_SEARCH, err=True)
        raise typer.Exit(INTERRUPTED) from None
    opt.tell_notes(source)
    folder = places[like.variant].parent
    told = save(mixed.document(found.mixing), found.mixing, folder, "mixed", as_json)
    names = ", ".join(file.path.name for file in found.files)
    typer.echo(told if as_json else f"plan: {folder / PLAN}; {names}; {told}")


export_app.command("trt")(trt)


@export_app.command("inspect")
def inspect(file: opt.AnyFile, as_json: opt.JsonOption = False) -> None:
    """Say what an ONNX file, an engine or a checkpoint holds."""
    from export.as_text import lines
    from export.describe import OnnxDescription, as_record, describe

    found = describe(file)
    typer.echo(json.dumps(as_record(found), indent=2) if as_json else "\n".join(lines(found)))
    if isinstance(found, OnnxDescription) and found.intact is False:
        raise HifiError(f"{file} was changed after it was exported (digest): export it again")


@bench_app.callback(invoke_without_command=True)
@grouped
def bench(
    context: typer.Context,
    *,
    version: opt.Version = False,
    rows: opts.Rows,
    networks: Networks,
    changes: Changes,
    lengths: opts.Lengths,
    weights: opt.Weights,
    outputs: opt.Outputs,
    measuring: opts.Measuring,
) -> None:
    """Measure backends on networks: mpd and msd unless others are named."""
    del version
    if context.invoked_subcommand is not None:
        opts.refuse_before(context)
        return
    from bench.backend import backends, lacking
    from bench.choice import check, in_precisions
    from bench.stopping import Limits
    from bench.suite import Plan

    limits = Limits.up_to(measuring.limit)
    sizes = lengths.sizes()
    batches = opts.batches_of(rows.batch, sizes)
    changes, files = changes.parted()
    variants = networks.select(changes) or tuple(map(Variant, USUAL))
    specs, wanted = rows.backend or (), rows.precision or ()
    check(specs, wanted)  # whose plans may name layers of a module
    runnable = [name for name, each in backends().items() if lacking(each) is None]
    plan = Plan(
        backends=in_precisions(specs or runnable, wanted),
        variants=variants,
        batches=batches,
        sizes=sizes,
        views=outputs.views,
        threads=opts.threads_of(measuring.threads),
        recording=opts.recording_of(measuring.wav),
        limits=limits,
        rounds=measuring.rounds,
        timeout=measuring.timeout,
        layers=measuring.layers,
        min_snr_db=measuring.min_snr,
        inputs=files,
    )
    run_plans([plan], [weights.of(variants)], measuring.out, measuring.resume)


@bench_app.command("sweep")
def run_sweep(
    file: opts.SweepFile,
    dry_run: opts.DryRun = False,
    resume: opts.Resume = False,
    out: opts.Out = Path("reports"),
) -> None:
    """Measure the matrix of a file into one report."""
    from bench.render.views import cells
    from bench.sweep import file as sweep_file

    parts = sweep_file.read(file)
    if dry_run:
        typer.echo("\n".join(cells.lines(parts)))
        return
    sources: dict[Source, Source] = {}
    weights = [sources.setdefault(each, each) for each in (part.source for part in parts)]
    run_plans([part.plan() for part in parts], weights, out, resume)


@bench_app.command("compare")
@grouped
def compare_reports(
    *,
    before: opts.Before,
    after: opts.After,
    verdict: opts.Verdict,
    as_json: opt.JsonOption = False,
) -> None:
    """Say of each cell whether B is faster or slower than A; exit code 4 if any is slower."""
    from bench import record_json
    from bench.compare.verdicts import compare
    from bench.render.formats import terminal
    from bench.render.views import comparison

    old, new = (record_json.report_at(record_json.file_of(each)) for each in (before, after))
    found = compare(old, new, verdict.threshold / 100, verdict.across_machines)
    if as_json:
        typer.echo(record_json.dump(comparison.record(found)).decode().rstrip())
    else:
        terminal.show(comparison.document(found))
    raise typer.Exit(REGRESSION if found.regressions else 0)


@bench_app.command("parity")
@grouped
def parity(
    *,
    file: Annotated[
        Path | None, typer.Argument(help="An .onnx file of ours, instead of a selection.")
    ] = None,
    networks: Networks,
    changes: Changes,
    weights: opt.Weights,
    outputs: opt.Outputs,
    wav: opts.Wav = None,
    lengths: opts.ManyLengths,
    min_snr: opts.MinSnr = None,
    save_wav: opts.SaveWav = None,
    out: opts.Out = Path("reports"),
    as_json: opt.JsonOption = False,
) -> None:
    """Hold a file, or mpd and msd, against PyTorch in float64 at every length; not timed."""
    from bench.parity import run as parity_run
    from bench.render.saved import save
    from bench.render.views import parity as view
    from export import atomic

    changes, files = changes.parted()
    variants = networks.beside(file).select(changes)
    recording = opts.recording_of(wav)
    for folder in filter(None, (out, save_wav)):
        atomic.check_writable(folder)
    source = weights.of(variants)
    order = parity_run.Order(source, recording, lengths.each(), min_snr, save_wav, files)
    reports = parity_run.run(file, parity_run.Selection(variants, outputs.views), order)
    opt.tell_notes(source)
    typer.echo(save(view.document(reports), reports, out, "parity", as_json))
    raise typer.Exit(0 if all(report.passed for report in reports) else WRONG_ROW)


bench_app.command("tune")(tune)
bench_app.command("stream")(stream)


@bench_app.command("list")
def list_backends() -> None:
    """Show every backend, whether it can run here, and what to install."""
    from bench.backend import backends
    from bench.render.views import backends as view

    typer.echo("\n".join(view.lines(backends())))


@bench_app.command("doctor")
def doctor(as_json: opt.JsonOption = False) -> None:
    """Show what this machine has, what each backend lacks, and what supplies it."""
    from bench.doctor import diagnose
    from bench.render.views.diagnosis import lines

    findings = diagnose()
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        typer.echo("\n".join(lines(findings)))


@bench_app.command("report")
def report(folder: opts.Earlier) -> None:
    """Render an earlier report again and print its table."""
    from bench.record_json import report_at
    from bench.render.saved import save
    from bench.render.views import report as view

    folder = folder.parent if folder.name == "report.json" else folder
    record = report_at(folder / "report.json")
    typer.echo(save(view.document(record), record, folder, "report"))


def run_plans(plans: "Sequence[Plan]", weights: Sequence[Source], out: Path, resume: bool) -> None:
    """Measure every cell of every plan into one report; each plan has weights of its own."""
    from bench.machine import busy
    from bench.render.saved import save
    from bench.render.views import report as view
    from bench.run import run
    from export import atomic

    atomic.check_writable(out)
    for plan, source in zip(plans, weights, strict=True):
        source.check(plan.variants)
    for source in dict.fromkeys(weights):
        opt.tell_notes(source)
    busy.warn(max(plan.threads for plan in plans))
    finished = run(plans, weights, out, resume)
    typer.echo(save(view.document(finished.report), finished.report, out, "report"))
    raise typer.Exit(INTERRUPTED if finished.interrupted else exit_code(finished.report.results))


def _run(app: Callable[[], object]) -> None:
    # so that a plain kill cleans up like Ctrl-C does
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    scratch.sweep()
    try:
        app()
    except HifiError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(WRONG_USAGE if isinstance(error, UsageError) else 1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        typer.echo("error: standard output cannot be written: no space left", err=True)
        sys.exit(1)


def export_main() -> None:
    """``hifi-export``."""
    _run(export_app)


def bench_main() -> None:
    """``hifi-bench``."""
    _run(bench_app)
