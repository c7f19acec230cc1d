"""A finished file, open in a runtime: what goes wrong there becomes an error that says so."""

from collections.abc import Mapping
from dataclasses import dataclass

from export.request import ExportRequest
from export.runtimes import ONNXRUNTIME, Arrays, Run, Runtime, Shapes
from export.sums import ratio_db
from hifigan_ref.errors import HifiError, in_one_line


class WrongInRuntimeError(HifiError):
    """A graph that the runtime that it is for computes wrongly."""


@dataclass(frozen=True)
class Bar:
    """What outputs are asked.

    Attributes:
        floor_db: least SNR of each, dB.
        beside: who says what is right.
        levels: mean square that each usually has: where its own is lower, over a handful of values,
            an error is held against this one.
        where: lengths of the inputs, in words.
    """

    floor_db: float
    beside: str
    levels: Mapping[str, float]
    where: str


@dataclass(frozen=True)
class Opened:
    """A file in a runtime.

    Attributes:
        runtime: which.
        request: what the file was made of.
        compute: runs it.
    """

    runtime: Runtime
    request: ExportRequest
    compute: Run

    def run(self, inputs: Arrays) -> Arrays:
        """Its outputs. Raises HifiError where the runtime fails."""
        try:
            return self.compute(inputs)
        # onnxruntime's errors derive from none but Exception, as others' may
        except Exception as error:  # noqa: BLE001
            shapes = {name: array.shape for name, array in inputs.items()}
            raise HifiError(
                f"{self.runtime.name} cannot run the exported {self.request.variant} on {shapes}: "
                f"{in_one_line(error)}: nothing was written; report this"
            ) from None

    def hold(self, inputs: Arrays, expected: Arrays, bar: Bar) -> None:
        """Run it beside what is expected.

        Raises:
            HifiError: an output is missing, of another shape, or below the bar.
        """
        found = self.run(inputs)
        ratios = {
            name: ratio_db(array, found.get(name), bar.levels.get(name, 0.0))
            for name, array in expected.items()
        }
        name = min(ratios, key=lambda each: ratios[each])
        if ratios[name] >= bar.floor_db:
            return
        other = self.runtime is not ONNXRUNTIME
        hint = f"another --lowering, or none without --for {self.request.target}, may be right; "
        raise (WrongInRuntimeError if other else HifiError)(
            f"the exported {self.request.variant} computes something else in {self.runtime.name} "
            f"{self.runtime.version} than in {bar.beside}: {name} at {bar.where} has an SNR "
            f"of {ratios[name]:.1f} dB, {bar.floor_db:g} or more is expected: nothing was written; "
            f"{hint if other else ''}report this"
        )


def open_in(
    runtime: Runtime, content: bytes, request: ExportRequest, shapes: Shapes | None = None
) -> Opened:
    """The file in a runtime, perhaps for fixed shapes. Raises HifiError where it is refused."""
    try:
        return Opened(runtime, request, runtime.open(content, shapes))
    except Exception as error:  # noqa: BLE001 - as above
        raise refusal(runtime, request, error) from None


def refusal(runtime: Runtime, request: ExportRequest, error: Exception) -> HifiError:
    """Of a file that is not even opened."""
    return HifiError(
        f"opset {request.opset} of {request.variant} is refused: {in_one_line(error)}: choose "
        f"another opset or a newer {runtime.name} (here {runtime.version})"
    )
