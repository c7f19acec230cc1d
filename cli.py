"""The command lines ``hifi-export`` and ``hifi-bench``: parse, one call, render, exit code.

Exit codes: 0 fine; 1 an error that the message explains; 2 wrong usage; 3 a row failed parity or
ran something else than asked; 5 nothing could be measured.
"""

import errno
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export import options as opt
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant

if TYPE_CHECKING:
    from bench.records import Report, Result
    from bench.suite import Plan

WRONG_ROW = 3
NOTHING_MEASURED = 5

_SETTINGS = {"no_args_is_help": True, "add_completion": False, "pretty_exceptions_enable": False}
export_app = typer.Typer(
    help="HiFi-GAN's networks from PyTorch to other runtimes.",
    rich_markup_mode=None,
    **_SETTINGS,  # type: ignore[arg-type]
)
cache_app = typer.Typer(
    help="Exported files and engines that are kept.",
    rich_markup_mode=None,
    **_SETTINGS,  # type: ignore[arg-type]
)
export_app.add_typer(cache_app, name="cache")
bench_app = typer.Typer(
    help="Time every runtime by one clock and check it against PyTorch in float64.",
    rich_markup_mode=None,
    **{**_SETTINGS, "no_args_is_help": False},  # type: ignore[arg-type]
)


@export_app.callback()
def export_root(
    version: opt.Version = False,
) -> None:
    """Options of the program as a whole."""
    del version


@export_app.command("onnx")
def export_onnx(
    period: opt.Period = None,
    scale: opt.Scale = None,
    model: opt.ModelOption = None,
    checkpoint: opt.CheckpointOption = None,
    seed: opt.Seed = 0,
    opset: opt.Opset = 18,
    batch: opt.Batch = None,
    samples: opt.Samples = None,
    outputs: opt.OutputsOption = opt.Outputs.all,
    pair: opt.Pair = False,
    out: Annotated[
        Path, typer.Option("--out", help="A folder, or a single file's name in .onnx.")
    ] = Path("artifacts"),
    as_json: opt.JsonOption = False,
) -> None:
    """Export to ONNX: all ten graphs, or those that are named."""
    from export import atomic, pipeline
    from export.as_text import export_line
    from export.request import ExportRequest
    from hifigan_ref.variant import all_variants

    variants = _select(period, scale, model) or list(all_variants())
    if out.suffix == ".onnx" and len(variants) > 1:
        raise HifiError(f"{out} is one file for {len(variants)} graphs: give a folder or one graph")
    requests = [
        ExportRequest(variant, opset, batch, samples, outputs.value, pair) for variant in variants
    ]
    paths = [out if out.suffix == ".onnx" else out / f"{variant}.onnx" for variant in variants]
    atomic.check_writable(paths[0].parent)
    source = Source(checkpoint, seed)
    source.check(variants)
    manifests = []
    for request, path in zip(requests, paths, strict=True):
        exported = pipeline.export_onnx(request, source.build(request.variant), path)
        manifests.append(exported.artifact.describe())
        if not as_json:
            typer.echo(export_line(exported))
    if as_json:
        typer.echo(json.dumps(manifests[0] if len(manifests) == 1 else manifests, indent=2))


@export_app.command("trt")
def export_trt(
    file: Annotated[
        Path | None, typer.Argument(help="An .onnx file of ours, instead of a selection.")
    ] = None,
    period: opt.Period = None,
    scale: opt.Scale = None,
    model: opt.ModelOption = None,
    checkpoint: opt.CheckpointOption = None,
    seed: opt.Seed = 0,
    opset: opt.Opset = 18,
    batch: opt.Batch = None,
    samples: opt.Samples = None,
    outputs: opt.OutputsOption = opt.Outputs.all,
    pair: opt.Pair = False,
    runtime: opt.RuntimeOption = opt.RuntimeName.auto,
    min_batch: opt.MinBatch = None,
    opt_batch: opt.OptBatch = None,
    max_batch: opt.MaxBatch = None,
    min_samples: opt.MinSamples = None,
    opt_samples: opt.OptSamples = None,
    max_samples: opt.MaxSamples = None,
    target: opt.Target = "",
    workspace: opt.Workspace = None,
    opt_level: opt.OptLevel = None,
    tf32: opt.Tf32 = False,
    version_compatible: opt.VersionCompatible = False,
    hardware_compatible: opt.HardwareCompatible = False,
    timing_cache: opt.TimingCache = None,
    out: Annotated[Path, typer.Option("--out", help="A folder.")] = Path("artifacts"),
    as_json: opt.JsonOption = False,
) -> None:
    """Build TensorRT engines: of all ten graphs, of those that are named, or of a file."""
    from export import trt_pipeline
    from export.as_text import engine_line
    from export.build_progress import BuildProgress
    from export.engine_request import EngineRequest
    from export.request import ExportRequest
    from export.trt_library import find_library
    from hifigan_ref.variant import all_variants

    variants = _select(period, scale, model)
    if file is not None and variants:
        raise HifiError(f"{file} and a selection of networks: give one of the two")
    library = find_library(runtime.value)
    targets = tuple(filter(None, target.lower().split(",")))
    request = EngineRequest(
        runtime.value,
        targets,
        workspace,
        opt_level,
        tf32,
        version_compatible,
        hardware_compatible,
        timing_cache,
    ).for_library(library)
    order = trt_pipeline.EngineOrder(
        request,
        library,
        (min_batch, opt_batch, max_batch),
        (min_samples, opt_samples, max_samples),
        BuildProgress,
    )
    if file is not None:
        engines = iter([trt_pipeline.engine_of_file(file, order)])
    else:
        requests = [
            ExportRequest(variant, opset, batch, samples, outputs.value, pair)
            for variant in variants or all_variants()
        ]
        engines = trt_pipeline.engines_of(requests, Source(checkpoint, seed), out, order)
    built = []
    for engine in engines:
        built.append(engine.describe())
        if not as_json:
            typer.echo(engine_line(engine))
    if as_json:
        typer.echo(json.dumps(built[0] if len(built) == 1 else built, indent=2))


@cache_app.command("list")
def cache_list() -> None:
    """Show what is kept."""
    from export import store
    from export.as_text import cache_lines

    typer.echo("\n".join(cache_lines(store.folder(), store.entries())))


@cache_app.command("clear")
def cache_clear() -> None:
    """Remove what is kept, except what another process holds."""
    from export import store

    entries = store.entries()
    removed = [entry for entry in entries if store.remove(entry)]
    freed = sum(entry.bytes for entry in removed) / 1e6
    typer.echo(f"{len(removed)} of {len(entries)} entries removed, {freed:.0f} MB freed")


@export_app.command("inspect")
def inspect(
    file: Annotated[Path, typer.Argument(help="An .onnx file or a checkpoint.")],
    as_json: opt.JsonOption = False,
) -> None:
    """Say what an ONNX file or a checkpoint holds."""
    from export.as_text import lines
    from export.describe import OnnxDescription, describe

    found = describe(file)
    typer.echo(json.dumps(asdict(found), indent=2) if as_json else "\n".join(lines(found)))
    if isinstance(found, OnnxDescription) and found.intact is False:
        raise HifiError(f"{file} was changed after it was exported (digest): export it again")


@bench_app.callback(invoke_without_command=True)
def bench(
    context: typer.Context,
    version: opt.Version = False,
    backend: Annotated[
        list[str] | None,
        typer.Option("--backend", help="Repeatable; default: every one that can run here."),
    ] = None,
    batch: Annotated[list[int] | None, typer.Option("--batch", help="N; repeatable.")] = None,
    period: opt.Period = None,
    scale: opt.Scale = None,
    model: opt.ModelOption = None,
    samples: Annotated[int, typer.Option("--samples", help="T.")] = 8192,
    checkpoint: opt.CheckpointOption = None,
    seed: opt.Seed = 0,
    outputs: opt.OutputsOption = opt.Outputs.all,
    pair: opt.Pair = False,
    threads: Annotated[
        int | None, typer.Option("--threads", help="Default: physical cores that may be used.")
    ] = None,
    wav: Annotated[
        Path | None, typer.Option("--wav", help="Mono audio; default: a shipped clip.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of the report.")] = Path("reports"),
    limit: Annotated[
        float, typer.Option("--limit", help="Seconds of sampling per row, at most.")
    ] = 10.0,
    rounds: Annotated[
        int, typer.Option("--rounds", help="In which backends take turns, in random order.")
    ] = 5,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds until a cell that does not answer ends.")
    ] = 600.0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run in --out.")
    ] = False,
    layers: Annotated[
        bool, typer.Option("--layers", help="Time each layer too, where the runtime can.")
    ] = False,
) -> None:
    """Measure backends on networks: mpd and msd unless others are named."""
    del version
    if context.invoked_subcommand is not None:
        return
    from bench.backend import backends
    from bench.machine import usable_cores
    from bench.stopping import Limits
    from bench.suite import Plan
    from export import atomic
    from hifigan_ref import audio

    if not 0 < limit < inf:
        raise HifiError(f"a limit of {limit} seconds is not positive: choose more than 0")
    runnable = [name for name, each in backends().items() if each.missing() is None]
    plan = Plan(
        backends=tuple(dict.fromkeys(backend or runnable)),
        variants=tuple(_select(period, scale, model) or (Variant("mpd"), Variant("msd"))),
        batches=tuple(dict.fromkeys(batch or (1,))),
        samples=samples,
        outputs=outputs.value,
        pair=pair,
        threads=usable_cores() if threads is None else threads,
        recording=audio.read_wav(wav) if wav else audio.clip(),
        limits=Limits(min(Limits.warmup, limit), min(Limits.least, limit), limit),
        rounds=rounds,
        timeout=timeout,
        layers=layers,
    )
    atomic.check_writable(out)
    source = Source(checkpoint, seed)
    source.check(plan.variants)
    report = _measure(plan, source, out, resume)
    _save(report, out)
    _show(report, out)
    raise typer.Exit(_exit_code(report.results))


@bench_app.command("list")
def list_backends() -> None:
    """Show every backend, whether it can run here, and what to install."""
    from bench.backend import backends

    for name, backend in backends().items():
        missing = backend.missing()
        typer.echo(
            f"{name:<20}{'runs here' if missing is None else 'missing':<12}{backend.purpose}"
        )
        if missing is not None:
            typer.echo(f"{'':<32}{missing}")


@bench_app.command("doctor")
def doctor(as_json: opt.JsonOption = False) -> None:
    """Show what this machine has, what each backend lacks, and what supplies it."""
    from bench.doctor import diagnose
    from bench.render.as_diagnosis import lines

    findings = diagnose()
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        typer.echo("\n".join(lines(findings)))


@bench_app.command("report")
def report(
    folder: Annotated[Path, typer.Argument(help="The --out folder of an earlier run.")],
) -> None:
    """Render an earlier report again and print its table."""
    from bench.render import as_json

    folder = folder.parent if folder.name == "report.json" else folder
    earlier = as_json.load(folder / "report.json")
    _save(earlier, folder)
    _show(earlier, folder)


def _select(
    periods: list[int] | None, scales: list[int] | None, model: opt.Model | None
) -> list[Variant]:
    chosen = [Variant("mpd", str(period)) for period in periods or ()]
    chosen += [Variant("msd", str(scale)) for scale in scales or ()]
    if model is not None:
        chosen += [Variant(name) for name in ("mpd", "msd") if model in (name, opt.Model.all)]
    unique = list(dict.fromkeys(chosen))
    for variant in unique:
        variant.members()  # an unknown one is refused before any work
    return unique


def _measure(plan: "Plan", source: Source, out: Path, resume: bool) -> "Report":
    from bench.ledger import NAME, Ledger, alone_in
    from bench.machine import this_machine
    from bench.render.live import watch
    from bench.roofline import NO_GPU, highest, measure_ceilings, measure_gpu_ceilings
    from bench.suite import report_of, sweep

    with alone_in(out):
        ledger = Ledger(out / NAME)
        if resume:
            typer.echo(f"{ledger.resume()} rows were finished before", err=True)
        else:
            ledger.clear()
        machine = this_machine()
        before = measure_ceilings(plan.threads)
        of_gpu = measure_gpu_ceilings()
        watched = watch(sweep(plan, source, ledger), plan.cells)
        # a machine that was busy at the start would make every row look fast
        ceilings = tuple(map(highest, before, measure_ceilings(plan.threads)))
    return report_of(
        plan,
        machine,
        ceilings[0],
        watched.results,
        of_gpu[0] if of_gpu else NO_GPU,
        watched.interrupted,
        ceilings + of_gpu,
    )


def _save(report: "Report", folder: Path) -> None:
    from bench.render.views import views
    from export import atomic

    atomic.write_all({folder / name: content for name, content in views(report).items()})


def _show(report: "Report", folder: Path) -> None:
    from bench.render.as_table import print_table

    print_table(report)
    typer.echo(f"report: {folder / 'report.html'}; beside it .md, .csv and .json")


def _exit_code(results: "tuple[Result, ...]") -> int:
    from bench.records import Parity, Skipped

    wrong = (isinstance(r.parity, Parity) and not r.parity.passed for r in results)
    if any(wrong) or any(result.broken for result in results):
        return WRONG_ROW
    if all(isinstance(result.measurement, Skipped) for result in results):
        return NOTHING_MEASURED
    return 0


def _run(app: Callable[[], object]) -> None:
    # so that a plain kill cleans up like Ctrl-C does
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        app()
    except HifiError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
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
