"""A file that is open in runtimes, held against PyTorch at one length after another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from export.opened import Bar, Opened
from export.request import ExportRequest
from export.runtimes import ONNXRUNTIME, Arrays, NotAsked, Verified
from export.sums import power_of, ratio_db
from export.torch_outputs import Array, example_inputs, run_in_float64, run_torch
from hifigan_ref.errors import HifiError
from hifigan_ref.network import Sizes, in_words

if TYPE_CHECKING:
    from export.interface import Interface

MIN_SNR_DB = 60.0  # a wrong graph stays below 25, rounding in float32 above 95


@dataclass(frozen=True)
class Verification:
    """The worst output of the comparison.

    Attributes:
        output: its name.
        snr_db: signal-to-noise ratio against PyTorch, dB.
        sizes: of the axes, at which it was seen.
        promised_db: least SNR that was asked of it beside float64, dB; None where it was held
            against PyTorch in float32.
        runtimes: that computed the file.
        not_asked: why the one that it is for is not among them; None where it is.
    """

    output: str
    snr_db: float
    sizes: Sizes
    promised_db: float | None = None
    runtimes: tuple[Verified, ...] = ()
    not_asked: NotAsked | None = None


@dataclass(frozen=True)
class Comparison:
    """A file that is open, and what it is held against.

    Attributes:
        request: what was asked for.
        function: the network as trained.
        first: the file in onnxruntime.
        second: and in the runtime that it is for, if that is another one.
        promise: least SNR beside float64, dB; None where PyTorch in float32 is enough.
        levels: mean square that each output usually has, filled at the usual lengths.
    """

    request: ExportRequest
    function: "Interface"
    first: Opened
    second: Opened | None
    promise: float | None
    levels: dict[str, float] = field(default_factory=dict)

    @property
    def float32(self) -> bool:
        """Whether every layer is, so that PyTorch says what is right at any length."""
        return self.request.precision.used(self.request.variant) == ("fp32",)

    def usual(self, sizes: Sizes, gain_db: float | None = None) -> list[Verification]:
        """Every output in onnxruntime, beside PyTorch."""
        inputs = example_inputs(self.request, sizes, gain_db)
        expected = run_torch(self.function, inputs)
        _check_alive(expected)
        exact = expected if self.promise is None else run_in_float64(self.function, inputs)
        found = self.first.run(inputs)
        if list(found) != list(exact):
            raise HifiError(f"outputs are {list(found)}, expected {list(exact)}: report this")
        if gain_db is None:
            self.levels.update({name: power_of(array) for name, array in exact.items()})
        if self.second:
            self._hold(self.second, sizes, inputs, expected if self.float32 else found)
        return [
            Verification(name, ratio_db(array, found[name]), sizes, self.promise)
            for name, array in exact.items()
        ]

    def short(self, sizes: Sizes) -> None:
        """The same where a promise means nothing."""
        inputs = example_inputs(self.request, sizes)
        expected = self._expected(inputs)
        for opened in filter(None, (self.first if self.float32 else None, self.second)):
            self._hold(opened, sizes, inputs, expected)

    def fixed(self, opened: Opened, sizes: Sizes) -> None:
        """The same of the second runtime when it was told the shapes."""
        inputs = example_inputs(self.request, sizes)
        self._hold(opened, sizes, inputs, self._expected(inputs))

    def _expected(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        return run_torch(self.function, inputs) if self.float32 else self.first.run(inputs)

    def _hold(self, opened: Opened, sizes: Sizes, inputs: Arrays, expected: Arrays) -> None:
        beside = "PyTorch" if self.float32 else ONNXRUNTIME.name
        floor = MIN_SNR_DB if self.float32 else self.request.budget_db / 2
        opened.hold(inputs, expected, Bar(floor, beside, self.levels, in_words(sizes)))


def _check_alive(expected: Mapping[str, Array]) -> None:
    """Refuse weights with which PyTorch's own outputs say nothing."""
    for name, reference in expected.items():
        reason = None
        if not np.isfinite(reference).all():
            reason = "NaN or Inf"
        elif not reference.any():
            reason = "nothing but zeros"
        if reason is not None:
            raise HifiError(
                f"with these weights PyTorch itself computes {reason} ({name}): nothing was "
                "written; look at the checkpoint"
            )
