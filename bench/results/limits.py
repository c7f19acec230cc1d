"""What this tool makes of a machine that grants it little: no home, parts of CPUs, some memory.

Run as root as ``python -m bench.results.limits docs/results/limits/NAME.json``. It makes control
groups, sets of CPUs and a user whom no file knows, runs this tool in them, and writes what was
tried, expected and found there, as a table beside it too. The exit code is 1 where something was
not as expected. What this machine cannot do is told with the reason;
``docs/results/limits/guest.sh`` runs it in a virtual machine with control groups of version 2.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from bench.hardware import Machine
from bench.results.control_groups import UnavailableError
from bench.results.limits_checks import (
    MACHINE,
    Check,
    half_a_core,
    machine_in,
    masks,
    set_of_cpus,
    share,
    some_memory,
    without_home,
)
from export import atomic
from export.cpu import CPU_INFO

GUEST = re.compile(r"^flags\b.*\bhypervisor\b", re.MULTILINE)


def every_check() -> Iterator[Check]:
    """All that can be tried here, and why the rest cannot."""
    tries: dict[str, Callable[[], Iterator[Check]]] = {"no home": without_home, "taskset": masks}
    for version in (1, 2):
        for name, each in (
            ("half a core", half_a_core),
            ("1 GiB", some_memory),
            ("a set of one CPU", set_of_cpus),
        ):
            tries[f"version {version}, {name}"] = partial(each, version)
    for name, attempt in tries.items():
        try:
            yield from attempt()
        except UnavailableError as error:
            yield Check(name, "", str(error), "not on this machine")


def is_virtual() -> bool:
    """Whether this is a virtual machine, as Linux tells of CPUs of x86."""
    return GUEST.search(CPU_INFO.read_text()) is not None


def markdown(checks: Sequence[Check], machine: Machine, virtual: bool) -> str:
    """A table of them."""
    rows = (f"| {c.tried} | {c.expected} | {c.found} | {c.verdict} |" for c in checks)
    where = f"{machine.cpu}, {share(machine.cores, machine.quota)}, {machine.system}"
    head = f"On {where}{', a virtual machine' if virtual else ''}."
    return "\n".join(
        (head, "", "| tried | expected | found | verdict |", "| :-- | :-- | :-- | :-- |", *rows, "")
    )


def main(path: Path) -> None:
    """Try everything, say each as it is known, and write the results."""
    if os.geteuid():
        sys.exit("limits are set by root: run it as root")
    machine, virtual, checks = machine_in(()), is_virtual(), list[Check]()
    for check in every_check():
        checks.append(check)
        sys.stdout.write(f"{check.verdict}: {check.tried}: {check.found}\n")
        sys.stdout.flush()
    record = {
        "machine": MACHINE.dump_python(machine, mode="json"),
        "virtual": virtual,
        "checks": list(map(asdict, checks)),
    }
    text = json.dumps(record, indent=1) + "\n"
    page = markdown(checks, machine, virtual)
    atomic.write_all({path: text.encode(), path.with_suffix(".md"): page.encode()})
    sys.exit(any(check.verdict == "NOT AS EXPECTED" for check in checks))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
