"""What this machine is, and how much of it the process may use."""

import importlib.metadata
import os
import platform
from pathlib import Path

from bench.machine.commit import commit_of
from bench.machine.gpu_state import gpu_state
from bench.machine.topology import cores_of
from bench.records import Machine
from export import memory
from export.cgroup import cpu_quota
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
GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def usable_cores() -> int:
    """Physical cores that the process may use: its affinity and its whole quota, at least one."""
    import psutil

    logical = psutil.cpu_count() or 1
    physical = psutil.cpu_count(logical=False) or logical
    told = hasattr(os, "sched_getaffinity")
    cpus = os.sched_getaffinity(0) if told else range(logical)
    cores = cores_of(cpus, logical, physical)
    quota = cpu_quota()
    return max(1, min(cores, int(quota))) if quota else cores


def this_machine() -> Machine:
    """The machine as it is now."""
    import psutil

    return Machine(
        cpu=_cpu_name(),
        cores=usable_cores(),
        memory_bytes=memory.usable_bytes(),
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
