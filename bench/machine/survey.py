"""What this machine is, and how much of it the process may use."""

import importlib.metadata
import os
import platform
from pathlib import Path

from bench.machine.commit import commit_of
from bench.machine.gpu_state import gpu_state
from bench.records import Machine
from export.cpu import CPU_INFO, LIMIT, cpu_features, limit

LIBRARIES = (
    "torch",
    "onnx",
    "onnx-ir",
    "onnxruntime-gpu",
    "onnxruntime",
    "openvino",
    "tensorrt",
    "tensorrt-rtx-cu13",
    "numpy",
    "hifi-export",
)
CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")
GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def usable_cores() -> int:
    """Physical cores that the process may use: its affinity and its quota, at least one."""
    import psutil

    logical = psutil.cpu_count() or 1
    physical = psutil.cpu_count(logical=False) or logical
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else logical
    cores = min(physical, max(1, allowed * physical // logical))
    quota = cpu_quota()
    return max(1, min(cores, int(quota))) if quota else cores


def this_machine() -> Machine:
    """The machine as it is now."""
    import psutil

    return Machine(
        cpu=_cpu_name(),
        cores=usable_cores(),
        memory_bytes=psutil.virtual_memory().total,
        load=psutil.getloadavg()[0],
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        versions={"python": platform.python_version(), **_versions()},
        features=features(),
        quota=cpu_quota(),
        governor=_governor(),
        commit=commit_of(Path(__file__)),
        gpu=gpu_state(),
    )


def features() -> tuple[str, ...]:
    """Instructions of the CPU, and what oneDNN is held below if anything."""
    held = limit()
    return (*cpu_features(), f"{LIMIT}={held}") if held else cpu_features()


def cpu_quota() -> float:
    """Cores' worth of CPU time that the control group grants, 0 where it is not limited."""
    try:
        quota, period = CGROUP_QUOTA.read_text().split()[:2]
        return 0.0 if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return 0.0


def _governor() -> str:
    try:
        return GOVERNOR.read_text().strip()
    except OSError:
        return ""


def _cpu_name() -> str:
    try:
        lines = CPU_INFO.read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
