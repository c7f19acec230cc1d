"""How far each output is from PyTorch in float64, beside how far PyTorch itself is."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.records import OutputParity, Parity
from export.request import ExportRequest
from export.sums import sums_of
from export.verify import run_in_float64, run_torch
from hifigan_ref.errors import HifiError
from hifigan_ref.log_mel import distance
from hifigan_ref.mel import Mel

if TYPE_CHECKING:
    from hifigan_ref.trained import Trained

__all__ = ["Arrays", "Reference", "compare", "reference"]

Arrays = Mapping[str, NDArray[np.floating]]


@dataclass(frozen=True)
class Reference:
    """What PyTorch says of the inputs, norms as trained.

    Attributes:
        exact: in float64.
        torch: in the workload's precision; of the first items of the batch, at least of one.
    """

    exact: Arrays
    torch: Arrays

    @cached_property
    def torch_snr_db(self) -> Mapping[str, float]:
        """Of each output of PyTorch, dB."""
        return {
            name: sums_of(self.exact[name][: len(own)], own).snr_db
            for name, own in self.torch.items()
        }


def check_least(min_snr_db: float | None) -> None:
    """Raises HifiError for a least SNR that is no number: all or nothing would reach it."""
    if min_snr_db is not None and not isfinite(min_snr_db):
        raise HifiError(f"a least SNR of {min_snr_db} dB: choose a number")


def reference(
    trained: "Trained", request: ExportRequest, inputs: Mapping[str, NDArray[np.float32]]
) -> Reference:
    """Run the network as trained in float64 and in float32."""
    from export.interface import interface

    function = interface(trained.module, request)
    return Reference(run_in_float64(function, inputs), run_torch(function, inputs))


def compare(
    expected: Reference, found: Arrays, budget_db: float, audio: Mapping[str, Mel] | None = None
) -> Parity:
    """Every output of the reference against what a runtime computed.

    An output that is missing, unexpected or of another shape has an SNR of minus infinity.

    Args:
        expected: what PyTorch says.
        found: what the runtime says.
        budget_db: smallest SNR that passes, dB.
        audio: outputs that are waveforms, and the recipes of their log-mels.
    """
    names = [*expected.exact, *(name for name in found if name not in expected.exact)]
    own = expected.torch_snr_db  # once, not by every thread
    with ThreadPoolExecutor() as threads:  # large sums let each other run
        outputs = threads.map(lambda name: _compare_output(name, expected.exact, found, own), names)
    return Parity(budget_db, tuple(_heard(each, expected, found, audio or {}) for each in outputs))


def _heard(
    output: OutputParity, expected: Reference, found: Arrays, audio: Mapping[str, Mel]
) -> OutputParity:
    """With the distance of its log-mels, where it is audio."""
    name, recipe = output.name, audio.get(output.name)
    if recipe is None:
        return output
    exact, own, candidate = expected.exact[name], expected.torch[name], found.get(name)
    apart = np.inf
    if candidate is not None and exact.shape == candidate.shape:
        apart = distance(recipe, exact, candidate)
    return replace(output, log_mel=apart, torch_log_mel=distance(recipe, exact[: len(own)], own))


def _compare_output(
    name: str, expected: Arrays, found: Arrays, own: Mapping[str, float]
) -> OutputParity:
    exact, candidate = expected.get(name), found.get(name)
    if exact is None or candidate is None or exact.shape != candidate.shape:
        shape = () if candidate is None else candidate.shape
        return OutputParity(name, -np.inf, np.inf, np.inf, 0.0, np.inf, shape)
    sums = sums_of(exact, candidate)
    return OutputParity(
        name=name,
        snr_db=sums.snr_db,
        max_abs=sums.worst,
        max_relative=sums.max_relative,
        cosine=sums.cosine,
        torch_snr_db=own[name],
        shape=candidate.shape,
    )
