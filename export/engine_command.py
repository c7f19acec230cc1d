"""``hifi-export trt``: parse, one call, render."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export import options as opt
from export.engine import options as own
from export.option_groups import grouped
from export.selection import Changes, Networks, tell_equality
from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from export.engine.file import EngineFile


@grouped
def trt(
    context: typer.Context,
    *,
    file: Annotated[
        Path | None, typer.Argument(help="An .onnx file, instead of a selection.")
    ] = None,
    networks: Networks,
    changes: Changes,
    weights: opt.Weights,
    opset: opt.Opset = 18,
    batch: opt.Batch = None,
    lengths: own.EngineLengths,
    outputs: opt.Outputs,
    form: own.EngineForm,
    runtime: Annotated[
        own.RuntimeName, typer.Option("--runtime", help="auto: TensorRT where it is installed.")
    ] = own.RuntimeName.auto,
    profiles: own.Profiles,
    builder: own.Builder,
    out: Annotated[Path, typer.Option("--out", help="A folder.")] = Path("artifacts"),
    as_json: opt.JsonOption = False,
) -> None:
    """Build TensorRT engines: of all ten graphs, of those that are named, or of a file."""
    from export import artifact
    from export.choice import choose
    from export.engine import pipeline
    from export.engine.library import find_library
    from export.engine.progress import BuildProgress
    from export.lowering.plan import DEFAULT
    from export.request import ExportRequest
    from hifigan_ref.variant import all_variants

    if file is not None and artifact.is_foreign(file):
        networks = replace(networks, network=[*(networks.network or ()), str(file)])
        file = None
    named = networks.beside(file)
    variants = named.select(changes)
    tell_equality(variants)
    if file is not None:
        known = (("network", named != networks), ("axis", not lengths.fixed.axis))
        opt.refuse_beside(file, context, [name for name, fits in known if fits])
    if form.precision == opt.MIXED:
        raise HifiError(
            "--precision mixed is a search, which builds no engine: search with hifi-export onnx "
            "--precision mixed --for BACKEND --min-snr DB first, then give its precision.json here"
        )
    library = find_library(runtime.value)
    spans = profiles.beside(lengths.profiles)
    order = pipeline.EngineOrder(builder.request(library), library, spans, BuildProgress)
    source = weights.of(variants)
    if file is not None:
        engines = iter([pipeline.engine_of_file(file, order)])
    else:
        sizes = lengths.fixed.sizes(batch)
        plans = choose(form.wish("trt" if form.lowering == DEFAULT else None))
        requests = [
            ExportRequest(variant, opset, sizes, outputs.views, *plans, form.min_snr)
            for variant in variants or all_variants()
        ]
        engines = pipeline.engines_of(requests, source, out, order)
    _tell(engines, as_json)
    opt.tell_notes(source)


def _tell(engines: "Iterator[EngineFile]", as_json: bool) -> None:
    from export.as_text import engine_line

    built = []
    for engine in engines:
        built.append(engine.describe())
        if not as_json:
            typer.echo(engine_line(engine))
    if as_json:
        typer.echo(json.dumps(built[0] if len(built) == 1 else built, indent=2))
