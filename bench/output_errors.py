"""How far outputs are from PyTorch in float64: frozen records with raw numbers."""

from dataclasses import dataclass

from bench.hole import require


@dataclass(frozen=True)
class OutputParity:
    """One output against PyTorch in float64.

    Attributes:
        name: of the output.
        snr_db: signal-to-noise ratio, dB.
        max_abs: largest absolute error.
        max_relative: largest absolute error over the root mean square of the reference.
        cosine: of the angle between the two.
        torch_snr_db: SNR of PyTorch itself in the workload's precision, dB; beyond float32 on the
            first item of the batch.
        shape: as computed, to be equal to the reference's.
        log_mel: mean absolute difference of the log-mels, for an output that is audio, else None.
        torch_log_mel: that of PyTorch itself, as ``torch_snr_db`` is.
    """

    name: str
    snr_db: float
    max_abs: float
    max_relative: float
    cosine: float
    torch_snr_db: float
    shape: tuple[int, ...]
    log_mel: float | None = None
    torch_log_mel: float | None = None


@dataclass(frozen=True)
class Parity:
    """All outputs of a run.

    Attributes:
        budget_db: smallest SNR that passes, dB.
        outputs: in the order of the graph.
    """

    budget_db: float
    outputs: tuple[OutputParity, ...]

    def __post_init__(self) -> None:
        require(bool(self.outputs), "a comparison has outputs")

    @property
    def worst(self) -> OutputParity:
        """The output with the lowest SNR."""
        return min(self.outputs, key=lambda output: output.snr_db)

    @property
    def passed(self) -> bool:
        """Whether every output is within the budget; NaN is not."""
        return all(output.snr_db >= self.budget_db for output in self.outputs)
