"""``torch.compile`` on the CPU."""

from bench.backend import Case, Option, Session
from bench.backends.torch_eager import PRECISIONS


class TorchCompile:
    """Inductor, static shapes, weights as trained."""

    name = "torch-compile"
    purpose = "torch.compile (Inductor) on the CPU, norms as trained, static shapes"
    options: tuple[Option, ...] = (PRECISIONS,)

    def missing(self) -> str | None:
        """Inductor needs a C++ compiler on the CPU."""
        from torch._inductor.cpp_builder import get_cpp_compiler
        from torch._inductor.exc import InvalidCxxCompiler

        try:
            get_cpp_compiler()
        except InvalidCxxCompiler:
            return "no C++ compiler was found: install g++ (apt-get install g++) or set CXX"
        return None

    def prepare(self, case: Case) -> Session:
        """Compile with the first call, so that the measurement meets compiled code only."""
        import torch

        from bench.backends.torch_session import TorchSession, network

        torch.compiler.reset()
        made = network(case, folded=False)
        compiled = torch.compile(made, dynamic=False, fullgraph=True)
        session = TorchSession(compiled, made, case, {"norms": "as trained", "mode": "default"})
        session.run()
        return session


BACKENDS = (TorchCompile(),)
