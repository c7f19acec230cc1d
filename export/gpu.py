"""The GPU of this machine, asked of its driver and of nothing else."""

from dataclasses import dataclass

from export.nvml import DriverError, driver
from hifigan_ref.errors import HifiError


@dataclass(frozen=True)
class Gpu:
    """The first device.

    Attributes:
        name: as the driver tells it.
        compute_capability: ``9.0``.
        driver: version.
        cuda: newest version of CUDA that the driver supports.
        memory_bytes: of the device.
    """

    name: str
    compute_capability: str
    driver: str
    cuda: str
    memory_bytes: int

    @property
    def target(self) -> str:
        """``sm90``."""
        return "sm" + self.compute_capability.replace(".", "")

    def __str__(self) -> str:
        return f"{self.name} (compute capability {self.compute_capability})"


def find_gpu() -> Gpu:
    """The first GPU.

    Raises:
        HifiError: no driver or no device.
    """
    try:
        with driver() as nvml:
            handle = nvml.nvmlDeviceGetHandleByIndex(0)
            major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
            cuda = nvml.nvmlSystemGetCudaDriverVersion_v2()
            return Gpu(
                name=_text(nvml.nvmlDeviceGetName(handle)),
                compute_capability=f"{major}.{minor}",
                driver=_text(nvml.nvmlSystemGetDriverVersion()),
                cuda=f"{cuda // 1000}.{cuda % 1000 // 10}",
                memory_bytes=int(nvml.nvmlDeviceGetMemoryInfo(handle).total),
            )
    except DriverError as error:
        raise HifiError(f"no CUDA device: {error}") from None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
