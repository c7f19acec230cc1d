"""TensorRT and TensorRT for RTX: an engine of the exported file, built for the workload's shape."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.backend import LOWERING, Case, Option, Session
from bench.precisions import precisions
from bench.timing.profiler import LayerTime
from export.engine.library import RuntimeChoice
from export.targets import activations_for

if TYPE_CHECKING:
    from bench.backends.trt_session import TrtSession

SWITCHES = ("off", "on")


@dataclass(frozen=True)
class Trt:
    """An engine on a GPU; inputs and outputs stay there."""

    name: str
    purpose: str
    runtime: RuntimeChoice
    options: tuple[Option, ...] = (
        precisions(("fp32", "tf32"), ("fp16", "bf16", "int8"), activations_for("trt")),
        Option("cuda_graph", SWITCHES, "one launch for the whole pass"),
        Option("profile", ("exact", "range"), "built for this shape alone, or for the usual range"),
        Option("build", ("kept", "1", "2", "3", "4", "5"), "another build of the same engine"),
        Option("opt_level", ("default", "0", "1", "2", "3", "4", "5"), "how long to search"),
        LOWERING,
    )

    def missing(self) -> str | None:
        """Why there is no library or no GPU, or None."""
        from bench import gpu
        from export.engine.library import why_missing

        return why_missing(self.runtime) or gpu.why_no_gpu()

    def prepare(self, case: Case) -> Session:
        """Build the engine or take the one that is kept, load it, run it once.

        Raises:
            HifiError: it cannot be built, or not run on this GPU.
        """
        return self._open(case)

    def layers(self, case: Case) -> tuple[LayerTime, ...]:
        """Time of each layer of the same engine, without a CUDA graph.

        Raises:
            HifiError: it cannot be built, or not run on this GPU.
        """
        from bench.backends.trt_profile import layer_times
        from export.engine.library import find_library

        session = self._open(replace(case, options={**case.options, "cuda_graph": "off"}))
        try:
            return layer_times(find_library(self.runtime), session)
        finally:
            session.close()

    def _open(self, case: Case) -> "TrtSession":
        from bench import gpu
        from bench.backends.trt_session import TrtSession
        from export.engine.cache import cached_engine
        from export.engine.library import find_library
        from export.engine.optimisation import exactly, profile_for
        from export.engine.request import EngineRequest

        sizes, file = case.workload.sizes, case.artifact
        profile = exactly(sizes)
        if case.options["profile"] == "range":
            profile = profile_for(file.request, file.manifest.sizes, {})
        profile.check(sizes)
        level = case.options["opt_level"]
        request = EngineRequest(
            self.runtime,
            opt_level=None if level == "default" else int(level),
            tf32=case.runtime == "tf32",
        )
        library = find_library(self.runtime)
        build = case.options["build"]
        number = 0 if build == "kept" else int(build)
        engine = cached_engine(case.artifact, request, profile, library, number=number)
        with gpu.freed_on_failure():
            return TrtSession(library, engine, case)


BACKENDS = (
    Trt("trt", "TensorRT, or TensorRT for RTX where only that is installed", "auto"),
    Trt("trt-rtx", "TensorRT for RTX", "rtx"),
)
