"""What engine to build: validated once, then only read."""

from dataclasses import dataclass, replace
from pathlib import Path

from export.engine.library import Library, RuntimeChoice
from hifigan_ref.errors import HifiError

OPT_LEVELS = range(6)
MOST_MIB = 2**30  # what no GPU has, and still a number of bytes that fits 64 bits
_ONLY = {  # what one of the two libraries has and the other lacks
    "tensorrt": ("version_compatible", "hardware_compatible", "timing_cache"),
    "rtx": ("targets",),
}


@dataclass(frozen=True)
class EngineRequest:
    """One engine, apart from its graph and its profile.

    Attributes:
        runtime: library to build with.
        targets: compute capabilities such as ``sm89``; none means the library's portable choice.
        workspace_mib: memory that a layer may use, MiB, or None for the library's own limit.
        opt_level: 0 to 5, how long to search, or None for the library's own.
        tf32: whether float32 products may round their factors to TF32.
        version_compatible: for later versions of the library too.
        hardware_compatible: for later GPUs too.
        timing_cache: file with timings of earlier builds, read and written.

    Raises:
        HifiError: on construction, for a value that is out of range.
    """

    runtime: RuntimeChoice = "auto"
    targets: tuple[str, ...] = ()
    workspace_mib: int | None = None
    opt_level: int | None = None
    tf32: bool = False
    version_compatible: bool = False
    hardware_compatible: bool = False
    timing_cache: Path | None = None

    def __post_init__(self) -> None:
        if self.workspace_mib is not None and not 1 <= self.workspace_mib <= MOST_MIB:
            raise HifiError(
                f"--workspace {self.workspace_mib} is out of range: give MiB, 1 to {MOST_MIB}"
            )
        if self.opt_level is not None and self.opt_level not in OPT_LEVELS:
            raise HifiError(
                f"--opt-level {self.opt_level} is out of range: choose 0 to {OPT_LEVELS[-1]}"
            )

    def for_library(self, library: Library) -> "EngineRequest":
        """The same with the library's own name.

        Raises:
            HifiError: an option that this library lacks.
        """
        for runtime, names in _ONLY.items():
            if runtime == library.runtime:
                continue
            for name in names:
                if getattr(self, name):
                    option = "--" + {"targets": "target"}.get(name, name).replace("_", "-")
                    raise HifiError(
                        f"{option}: {library} has no such option: leave it out, "
                        f"or choose --runtime {runtime}"
                    )
        self._check_targets(library)
        return replace(self, runtime=library.runtime)

    def _check_targets(self, library: Library) -> None:
        known = targets_of(library)
        for target in self.targets:
            if target not in known:
                raise HifiError(
                    f"--target {target}: {library} knows {', '.join(known)}: choose from these"
                )
        if len(set(self.targets)) != len(self.targets):
            raise HifiError(f"--target {','.join(self.targets)} names one twice: name each once")

    def options(self) -> str:
        """As typed on the command line; the file of timings is not told."""
        texts = [f"--runtime {self.runtime}"]
        if self.targets:
            texts.append(f"--target {','.join(self.targets)}")
        if self.workspace_mib is not None:
            texts.append(f"--workspace {self.workspace_mib}")
        if self.opt_level is not None:
            texts.append(f"--opt-level {self.opt_level}")
        flags = ("tf32", "version_compatible", "hardware_compatible")
        texts += [f"--{name.replace('_', '-')}" for name in flags if getattr(self, name)]
        return " ".join(texts)


def targets_of(library: Library) -> tuple[str, ...]:
    """Names of the compute capabilities that a library can build for without such a GPU."""
    members = getattr(library.module, "ComputeCapability", None)
    names = () if members is None else tuple(members.__members__)
    return tuple(name.lower() for name in names if name.startswith("SM"))
