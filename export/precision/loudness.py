"""The loudness of speech: what a budget was judged on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Loudness:
    """Root mean square of stretches of 8192 samples, dB beside full scale.

    Attributes:
        low: of the quietest.
        high: of the loudest.
    """

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low} to {self.high} dBFS"
