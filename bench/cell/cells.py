"""The job of each backend on a workload: which graph, which precision, which budget."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cell.job import Job
from bench.choice import Choice, choose, target_of, told_precision
from bench.records import Layer
from export.lowering.plan import PLAIN
from export.precision.budget import GraphPrecision
from export.precision.plan import FP32, PrecisionPlan
from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    from hifigan_ref.variant import Variant

BYTES = {"fp16": 2, "bf16": 2, "int8": 1}  # of a value; 4 of any other


def job_of(spec: str, plain: Job, min_snr_db: float | None) -> tuple[Job, str | None]:
    """The job of a backend, and why it cannot be measured, or None.

    Args:
        spec: the backend as typed.
        plain: the same workload in float32, with its plain file.
        min_snr_db: least SNR of the worst output, or None for the precision's own.
    """
    told = replace(plain.workload, precision=told_precision(spec))
    job = replace(plain, backend=spec, workload=told)
    try:
        return _chosen(choose(spec), job, min_snr_db), None
    except HifiError as error:
        return job, str(error)


def _chosen(choice: Choice, job: Job, min_snr_db: float | None) -> Job:
    variant = job.request.variant
    layers: Collection[GraphPrecision] = ()
    if isinstance(choice.asked, PrecisionPlan):
        layers = _layers(job.artifact, choice.asked, variant)
    split = choice.split(layers)
    own = choice.lowering != PLAIN or split.file != FP32  # else all backends share a file
    request = replace(
        job.request,
        lowering=choice.lowering,
        opset=split.opset(job.request.opset),
        precision=split.file,
        min_snr_db=None if split.file == FP32 else min_snr_db,
        target=target_of(choice) if own else None,
    )
    precision = choice.precision(variant)
    least = {precision, *layers} - {"mixed"}
    width = min(BYTES.get(each, 4) for each in least)
    return replace(
        job,
        workload=replace(job.workload, precision=precision),
        request=request,
        graph=tuple(_narrow(layer, width) for layer in job.graph),
        asked=choice.asked,
        runtime=split.runtime,
        budget_db=choice.budget_db(variant) if min_snr_db is None else min_snr_db,
    )


def _layers(path: Path, plan: PrecisionPlan, variant: "Variant") -> Collection[GraphPrecision]:
    import onnx_ir as ir

    from export.precision.layers import resolve

    return resolve(ir.load(path), plan, variant).values()


def _narrow(layer: Layer, width: int) -> Layer:
    """What it must move at least where every value has so many bytes."""
    return replace(layer, bytes=layer.bytes * width // 4)
