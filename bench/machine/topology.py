"""Which CPUs of Linux are threads of one core."""

from collections.abc import Collection
from pathlib import Path

CPUS = Path("/sys/devices/system/cpu")
SIBLINGS = ("core_cpus_list", "thread_siblings_list")  # the second is older than Linux 5.2


def cores_of(cpus: Collection[int], logical: int, physical: int) -> int:
    """How many cores these CPUs are threads of.

    1. The system tells the siblings of each CPU: as many as there are different ones.
    2. It does not: by the usual numbering, within what the machine has.

    Args:
        cpus: numbers.
        logical: CPUs of the machine.
        physical: cores of the machine.
    """
    told = {_siblings(cpu) for cpu in cpus}
    if "" not in told:
        return len(told)
    return min(physical, len({_usual_core(cpu, logical, physical) for cpu in cpus}))


def _usual_core(cpu: int, logical: int, physical: int) -> int:
    """The core of a CPU as systems number them.

    1. All cores have as many threads: the first thread of every core, then the second ones.
    2. Some have two threads and others one: both threads of each fast core, then the others.
    """
    if logical % physical == 0:
        return cpu % physical
    double = logical - physical
    return cpu // 2 if cpu < 2 * double else cpu - double


def _siblings(cpu: int) -> str:
    for name in SIBLINGS:
        try:
            return (CPUS / f"cpu{cpu}" / "topology" / name).read_text().strip()
        except OSError:
            continue
    return ""
