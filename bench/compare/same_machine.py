"""Whether two runs had the same machine, to themselves, and what else was not the same."""

from bench.hardware import GpuState, Machine, crowd
from bench.hole import NOT_TAKEN
from bench.records import Report


def differences(before: Machine, after: Machine) -> tuple[str, ...]:
    """What makes times incomparable; what a report does not tell is no difference."""
    pairs = {
        "cpu": (before.cpu, after.cpu),
        "cores": (str(before.cores), str(after.cores)),
        "quota": (_quota(before), _quota(after)),
        "system": (before.system, after.system),
        "features": (" ".join(before.features), " ".join(after.features)),
        "gpu": (_gpu(before), _gpu(after)),
    }
    return tuple(
        f"{name}: {a} in A, {b} in B" for name, (a, b) in pairs.items() if a and b and a != b
    )


def notes(before: Machine, after: Machine) -> tuple[str, ...]:
    """What may differ and explain a change: versions, settings of the machine, the commit."""
    old, new = _told(before), _told(after)
    names = sorted({*old, *new})
    return tuple(
        f"{name}: {old.get(name) or 'none'} in A, {new.get(name) or 'none'} in B"
        for name in names
        if (old.get(name) or "") != (new.get(name) or "")
    )


def warnings(before: Report, after: Report) -> tuple[str, ...]:
    """That a machine was busy with other things, whichever report is told of it."""
    found = {"A": before, "B": after}
    crowds = {name: crowd(row.others for row in report.results) for name, report in found.items()}
    return tuple(
        f"the machine of {name} was busy: {others}; verdicts are not to be trusted"
        for name, others in crowds.items()
        if others is not None
    )


def _quota(machine: Machine) -> str:
    if machine.quota is None:
        return ""
    return f"{machine.quota:g} cores" if machine.quota else "none"


def _gpu(machine: Machine) -> str:
    if isinstance(machine.gpu, GpuState):
        return f"{machine.gpu.name}{', partitioned' if machine.gpu.mig else ''}"
    return "" if machine.gpu == NOT_TAKEN else "none"


def _told(machine: Machine) -> dict[str, str]:
    told = {**machine.versions, "commit": machine.commit, "governor": machine.governor}
    if isinstance(machine.gpu, GpuState):
        told["driver"] = machine.gpu.driver
    return told
