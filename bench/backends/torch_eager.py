"""PyTorch as most people run it: eager, weights as trained or with the norms folded."""

from dataclasses import dataclass

from bench.backend import Case, Option, Session
from bench.precisions import precisions

PRECISIONS = precisions(("fp32", "bf16", "fp16"))


@dataclass(frozen=True)
class TorchEager:
    """Eager execution on the CPU."""

    name: str
    purpose: str
    folded: bool
    options: tuple[Option, ...] = (PRECISIONS,)

    def missing(self) -> str | None:
        """PyTorch is a dependency of this tool."""
        return None

    def prepare(self, case: Case) -> Session:
        """Nothing is compiled."""
        from bench.backends.torch_session import TorchSession, network

        made = network(case, self.folded)
        return TorchSession(made, made, case, {"norms": "folded" if self.folded else "as trained"})


BACKENDS = (
    TorchEager("torch", "PyTorch eager on the CPU, norms as trained", folded=False),
    TorchEager("torch-folded", "PyTorch eager on the CPU, norms folded", folded=True),
)
