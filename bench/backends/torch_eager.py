"""PyTorch as most people run it: eager, weights as trained or with the norms folded."""

from dataclasses import dataclass

from bench.backend import Case, Option, Session


@dataclass(frozen=True)
class TorchEager:
    """Eager execution on the CPU."""

    name: str
    purpose: str
    folded: bool
    options: tuple[Option, ...] = ()

    def missing(self) -> str | None:
        """PyTorch is a dependency of this tool."""
        return None

    def prepare(self, case: Case) -> Session:
        """Nothing is compiled."""
        import copy

        from bench.backends.torch_session import TorchSession
        from export.fold import fold
        from export.interface import interface

        module = case.trained.module
        if self.folded:
            module = copy.deepcopy(module)
            fold(module)
        extra = {"norms": "folded" if self.folded else "as trained"}
        return TorchSession(interface(module, case.request), case, extra)


BACKENDS = (
    TorchEager("torch", "PyTorch eager on the CPU, norms as trained", folded=False),
    TorchEager("torch-folded", "PyTorch eager on the CPU, norms folded", folded=True),
)
