"""The command lines ``hifi-export`` and ``hifi-bench``: parse, one call, render, exit code.

Exit codes: 0 fine; 1 an error that the message explains; 2 wrong usage; 3 a row failed parity or
ran something else than asked; 4 compare found a regression; 5 nothing could be measured.
"""

import errno
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench import options as opts
from bench.exit_code import INTERRUPTED, REGRESSION, WRONG_ROW, WRONG_USAGE, exit_code
from bench.tune.command import tune
from export import cache_commands, scratch
from export import options as opt
from export.engine_command import trt
from hifigan_ref.errors import HifiError, UsageError
from hifigan_ref.source import Source
from hifigan_ref.variant import USUAL, Variant

if TYPE_CHECKING:
    from bench.suite import Plan

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
def export_onnx(
    period: opt.Period = None,
    scale: opt.Scale = None,
    model: opt.ModelOption = None,
    network: opt.Network = None,
    from_file: opt.FromFile = None,
    prefix: opt.Prefix = "",
    input: opt.Input = None,  # noqa: A002 - as it is typed
    config: opt.Config = None,
    speaker: opt.Speaker = None,
    checkpoint: opt.CheckpointOption = None,
    seed: opt.Seed = 0,
    opset: opt.Opset = 18,
    batch: opt.Batch = None,
    samples: opt.Samples = None,
    axis: opt.AxisOption = None,
    outputs: opt.OutputsOption = opt.Outputs.all,
    pair: opt.Pair = False,
    lowering: opt.Lowering = "none",
    precision: opt.Precision = "fp32",
    min_snr: opt.MinSnr = None,
    io_types: opt.IoTypesOption = opt.IoTypes.float32,
    calibration: opt.Calibration = None,
    target: opt.For = None,
    out: opt.OnnxOut = Path("artifacts"),
    as_json: opt.JsonOption = False,
) -> None:
    """Export to ONNX: all ten graphs, or those that are named."""
    from export import atomic, pipeline
    from export.as_text import export_line
    from export.choice import Wish, choose
    from export.request import ExportRequest, views_of
    from hifigan_ref.variant import all_variants

    named = [*(network or ()), *opt.of_file(from_file, prefix)]
    variants = opt.select(period, scale, model, named, input, config, speaker) or list(
        all_variants()
    )
    sizes, views = opt.sizes_of(batch, samples, axis), views_of(outputs.value, pair)
    paths = opt.onnx_paths(out, variants)
    wish = Wish(lowering, precision, io_types.value, calibration or (), target)
    if precision == opt.MIXED:
        from bench.mix.command import INTERRUPTED_SEARCH, export_mixed
        from bench.mix.run import PLAN
        from bench.render.saved import save
        from bench.render.views import mixed

        request = ExportRequest(variants[0], opset, sizes, views, min_snr_db=min_snr)
        places = dict(zip(variants, paths, strict=True))
        opt.tell_equality(variants)
        source = Source.of(variants, checkpoint, seed)
        try:
            found = export_mixed(wish, request, places, source)
        except KeyboardInterrupt:
            typer.echo(INTERRUPTED_SEARCH, err=True)
            raise typer.Exit(INTERRUPTED) from None
        opt.tell_notes(source)
        folder = paths[0].parent
        told = save(mixed.document(found.mixing), found.mixing, folder, "mixed", as_json)
        names = ", ".join(file.path.name for file in found.files)
        typer.echo(told if as_json else f"plan: {folder / PLAN}; {names}; {told}")
        return
    plans = choose(wish)
    requests = [
        ExportRequest(variant, opset, sizes, views, *plans, min_snr, target) for variant in variants
    ]
    atomic.check_writable(paths[0].parent)
    source = Source.of(variants, checkpoint, seed)
    source.check(variants)
    opt.tell_notes(source)
    opt.tell_equality(variants)
    manifests = []
    for request, path in zip(requests, paths, strict=True):
        exported = pipeline.export_onnx(request, source.build(request.variant), path)
        manifests.append(exported.artifact.describe())
        if not as_json:
            typer.echo(export_line(exported))
    if as_json:
        typer.echo(json.dumps(manifests[0] if len(manifests) == 1 else manifests, indent=2))


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
def bench(
    context: typer.Context,
    version: opt.Version = False,
    backend: opts.BackendOption = None,
    precision: opts.Precisions = None,
    batch: opts.Batches = None,
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
    wav: opts.Wav = None,
    out: opts.Out = Path("reports"),
    limit: opts.Limit = 10.0,
    rounds: opts.Rounds = 5,
    timeout: opts.Timeout = 600.0,
    layers: opts.Layers = False,
    min_snr: opts.MinSnr = None,
    resume: opts.Resume = False,
) -> None:
    """Measure backends on networks: mpd and msd unless others are named."""
    del version
    if context.invoked_subcommand is not None:
        opts.refuse_before(context)
        return
    from bench.backend import backends, lacking
    from bench.choice import check, in_precisions
    from bench.machine.survey import usable_cores
    from bench.stopping import Limits
    from bench.suite import Plan
    from export.request import views_of
    from hifigan_ref import audio

    limits = Limits.up_to(limit)
    sizes = opt.sizes_of(None, samples, axis)
    batches = opt.batches_of(batch, sizes)
    shapes, files = opt.shapes_and_files(input)
    chosen = opt.select(period, scale, model, network, shapes, config, speaker)
    variants = tuple(chosen or map(Variant, USUAL))
    check(backend or (), precision or ())  # whose plans may name layers of a module
    runnable = [name for name, each in backends().items() if lacking(each) is None]
    plan = Plan(
        backends=in_precisions(backend or runnable, precision or ()),
        variants=variants,
        batches=batches,
        sizes=sizes,
        views=views_of(outputs.value, pair),
        threads=usable_cores() if threads is None else threads,
        recording=audio.read_wav(wav) if wav else audio.speech(),
        limits=limits,
        rounds=rounds,
        timeout=timeout,
        layers=layers,
        min_snr_db=min_snr,
        inputs=files,
    )
    run_plans([plan], [Source.of(plan.variants, checkpoint, seed)], out, resume)


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
def compare_reports(
    before: opts.Before,
    after: opts.After,
    threshold: opts.Threshold = 2.0,
    across_machines: opts.AcrossMachines = False,
    as_json: opt.JsonOption = False,
) -> None:
    """Say of each cell whether B is faster or slower than A; exit code 4 if any is slower."""
    from bench import record_json
    from bench.compare.verdicts import compare
    from bench.render.formats import terminal
    from bench.render.views import comparison

    old, new = (record_json.report_at(record_json.file_of(each)) for each in (before, after))
    found = compare(old, new, threshold / 100, across_machines)
    if as_json:
        typer.echo(record_json.dump(comparison.record(found)).decode().rstrip())
    else:
        terminal.show(comparison.document(found))
    raise typer.Exit(REGRESSION if found.regressions else 0)


@bench_app.command("parity")
def parity(
    file: opts.ParityFile = None,
    period: opt.Period = None,
    scale: opt.Scale = None,
    model: opt.ModelOption = None,
    network: opt.Network = None,
    input: opt.Input = None,  # noqa: A002 - as it is typed
    config: opt.Config = None,
    speaker: opt.Speaker = None,
    checkpoint: opt.CheckpointOption = None,
    seed: opt.Seed = 0,
    outputs: opt.OutputsOption = opt.Outputs.all,
    pair: opt.Pair = False,
    wav: opts.Wav = None,
    samples: opts.Lengths = None,
    axis: opts.AxisLengths = None,
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
    from export.request import views_of
    from hifigan_ref import audio

    shapes, files = opt.shapes_and_files(input)
    others = None if opt.module_beside(file, network) else network
    variants = tuple(opt.select(period, scale, model, others, shapes, config, speaker))
    recording = audio.read_wav(wav) if wav else audio.speech()
    for folder in filter(None, (out, save_wav)):
        atomic.check_writable(folder)
    source = Source.of(variants, checkpoint, seed)
    lengths = opt.lengths_of(samples, axis)
    order = parity_run.Order(source, recording, lengths, min_snr, save_wav, files)
    chosen = parity_run.Selection(variants, views_of(outputs.value, pair))
    reports = parity_run.run(file, chosen, order)
    opt.tell_notes(source)
    typer.echo(save(view.document(reports), reports, out, "parity", as_json))
    raise typer.Exit(0 if all(report.passed for report in reports) else WRONG_ROW)


bench_app.command("tune")(tune)


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
