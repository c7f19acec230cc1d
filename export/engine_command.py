"""``hifi-export trt``: parse, one call, render."""

import json
from pathlib import Path

import typer

from export import options as opt
from export.engine import options as own
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source


def trt(
    context: typer.Context,
    file: opt.OnnxFile = None,
    period: opt.Period = None,
    scale: opt.Scale = None,
    model: opt.ModelOption = None,
    network: opt.Network = None,
    input: opt.Input = None,  # noqa: A002 - as it is typed
    config: opt.Config = None,
    speaker: opt.Speaker = None,
    checkpoint: opt.CheckpointOption = None,
    seed: opt.Seed = 0,
    opset: opt.Opset = 18,
    batch: opt.Batch = None,
    samples: opt.Samples = None,
    axis: opt.EngineAxis = None,
    outputs: opt.OutputsOption = opt.Outputs.all,
    pair: opt.Pair = False,
    lowering: opt.Lowering = "none",
    precision: opt.EnginePrecision = "fp32",
    min_snr: opt.MinSnr = None,
    io_types: opt.IoTypesOption = opt.IoTypes.float32,
    calibration: opt.Calibration = None,
    runtime: own.RuntimeOption = own.RuntimeName.auto,
    min_batch: own.MinBatch = None,
    opt_batch: own.OptBatch = None,
    max_batch: own.MaxBatch = None,
    min_samples: own.MinSamples = None,
    opt_samples: own.OptSamples = None,
    max_samples: own.MaxSamples = None,
    target: own.Target = "",
    workspace: own.Workspace = None,
    opt_level: own.OptLevel = None,
    tf32: own.Tf32 = False,
    version_compatible: own.VersionCompatible = False,
    hardware_compatible: own.HardwareCompatible = False,
    timing_cache: own.TimingCache = None,
    out: opt.EngineOut = Path("artifacts"),
    as_json: opt.JsonOption = False,
) -> None:
    """Build TensorRT engines: of all ten graphs, of those that are named, or of a file."""
    from export import artifact
    from export.as_text import engine_line
    from export.choice import Wish, choose
    from export.engine import pipeline as trt_pipeline
    from export.engine.library import find_library
    from export.engine.progress import BuildProgress
    from export.engine.request import EngineRequest
    from export.lowering.plan import DEFAULT
    from export.request import ExportRequest, views_of
    from hifigan_ref.variant import all_variants

    if file is not None and artifact.is_foreign(file):
        network, file = [*(network or ()), str(file)], None
    profiles = [text for text in axis or () if ":" in text]
    fixed = [text for text in axis or () if text not in profiles]
    located = opt.module_beside(file, network)
    variants = opt.select(
        period, scale, model, None if located else network, input, config, speaker
    )
    opt.tell_equality(variants)
    if file is not None:
        allowed = [name for name, fits in (("network", located), ("axis", not fixed)) if fits]
        opt.refuse_beside(file, context, allowed)
    if precision == opt.MIXED:
        raise HifiError(
            "--precision mixed is a search, which builds no engine: search with hifi-export onnx "
            "--precision mixed --for BACKEND --min-snr DB first, then give its precision.json here"
        )
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
    spans = {
        "batch": (min_batch, opt_batch, max_batch),
        "samples": (min_samples, opt_samples, max_samples),
    }
    order = trt_pipeline.EngineOrder(
        request,
        library,
        own.profiles_of(profiles, spans),
        BuildProgress,
    )
    source = Source.of(variants, checkpoint, seed)
    if file is not None:
        engines = iter([trt_pipeline.engine_of_file(file, order)])
    else:
        backend = "trt" if lowering == DEFAULT else None
        sizes, views = opt.sizes_of(batch, samples, fixed), views_of(outputs.value, pair)
        plans = choose(Wish(lowering, precision, io_types.value, calibration or (), backend))
        requests = [
            ExportRequest(variant, opset, sizes, views, *plans, min_snr)
            for variant in variants or all_variants()
        ]
        engines = trt_pipeline.engines_of(requests, source, out, order)
    built = []
    for engine in engines:
        built.append(engine.describe())
        if not as_json:
            typer.echo(engine_line(engine))
    opt.tell_notes(source)
    if as_json:
        typer.echo(json.dumps(built[0] if len(built) == 1 else built, indent=2))
