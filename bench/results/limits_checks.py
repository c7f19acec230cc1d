"""What is tried of limits, and what was expected and found: each way to grant this tool little."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from bench.compare.same_machine import differences
from bench.hardware import Machine
from bench.results.control_groups import UnavailableError, limited
from export import scratch, store

ROOT = Path(__file__).parents[2]
EXPORT, BENCH = "import cli; cli.export_main()", "import cli; cli.bench_main()"
PROBE = """
import sys
from pydantic_core import to_json
from bench.machine.survey import this_machine
sys.stdout.write(to_json(this_machine()).decode())
"""
MACHINE = TypeAdapter(Machine)
NOBODY = "54321"  # a number that no password file has
TO_READ = "+dac_read_search"  # what lets it read this tool wherever it is installed
HOMES = ("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME", store.FOLDER_VARIABLE)
SOME_MEMORY = 2**30
TOO_LARGE = ("onnx", "--period", "11", "--batch", "1000", "--samples", "8192")
HALF: Mapping[int, Mapping[str, str]] = {
    1: {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000"},
    2: {"cpu.max": "50000 100000"},
}
MEMORY = {1: "memory.limit_in_bytes", 2: "memory.max"}
Verdict = Literal["as expected", "NOT AS EXPECTED", "not on this machine"]


@dataclass(frozen=True)
class Check:
    """One thing that was tried.

    Attributes:
        tried: what.
        expected: in words; empty where it could not be tried.
        found: in words, or why it could not be tried.
        verdict: of the two.
    """

    tried: str
    expected: str
    found: str
    verdict: Verdict


def judged(tried: str, expected: str, found: str, right: bool | None = None) -> Check:
    """A check that is right if it says so, or else if what was found was expected word by word."""
    right = found == expected if right is None else right
    return Check(tried, expected, found, "as expected" if right else "NOT AS EXPECTED")


def run(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """A command at the root of this tree, so that it is this code that runs."""
    if shutil.which(command[0]) is None:
        raise UnavailableError(f"there is no {command[0]}")
    return subprocess.run(  # noqa: S603 - commands of this file
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def tool(main: str, *arguments: str) -> list[str]:
    """A command line of this tool."""
    return [sys.executable, "-c", main, *arguments]


def ended(ran: "subprocess.CompletedProcess[str]") -> str:
    """How it ended, with its errors."""
    told = [line for line in ran.stderr.splitlines() if line.startswith(("error:", "Traceback"))]
    return "; ".join((f"exit code {ran.returncode}", *told))


def machine_in(prefix: Sequence[str]) -> Machine:
    """What the tool sees behind a command that limits it."""
    ran = run([*prefix, sys.executable, "-c", PROBE])
    if ran.returncode:
        raise UnavailableError((ran.stderr.strip().splitlines() or ["it did not run"])[-1])
    return MACHINE.validate_json(ran.stdout)


def share(cores: int, quota: float | None) -> str:
    """Of CPUs."""
    return f"{cores} threads, quota {f'{quota:g} cores' if quota else 'none'}"


def without_home() -> Iterator[Check]:
    """As a user without HOME and without an entry in the password file."""
    ids = [f"--re{kind}id={NOBODY}" for kind in "ug"]
    given = [f"--{kind}-caps={TO_READ}" for kind in ("inh", "ambient")]
    nobody = ["setpriv", *ids, "--clear-groups", *given]
    able = run([*nobody, "true"])
    if able.returncode:
        raise UnavailableError(able.stderr.strip())
    with scratch.folder() as folder:
        folder.chmod(0o777)
        bare = {name: value for name, value in os.environ.items() if name not in HOMES}
        bare["TMPDIR"] = str(folder)
        found = run([*nobody, *tool(EXPORT, "cache", "list")], bare)
        told = "set HIFI_EXPORT_CACHE to a folder"
        right = found.returncode == 1 and len(found.stderr.splitlines()) == 1
        yield judged(
            "no home: hifi-export cache list",
            f"exit code 1, in one line: {told}",
            ended(found),
            right and told in found.stderr,
        )
        cached = bare | {store.FOLDER_VARIABLE: str(folder / "cache")}
        out = str(folder / "out")
        for main, *arguments in (
            (BENCH, "list"),
            (BENCH, "doctor"),
            (EXPORT, "cache", "list"),
            (EXPORT, "onnx", "--period", "11", "--out", out),
        ):
            typed = " ".join(arguments).removesuffix(f" --out {out}")
            named = "hifi-bench" if main == BENCH else "hifi-export"
            found = run([*nobody, *tool(main, *arguments)], cached)
            tried = f"no home, with HIFI_EXPORT_CACHE: {named} {typed}"
            yield judged(tried, "exit code 0", ended(found))


def half_a_core(version: int) -> Iterator[Check]:
    """A quota on the group above the process's own."""
    name = f"version {version}, half a core for the group above"
    outside = machine_in(())
    quota = min(0.5, outside.quota or 0.5)
    with limited(version, "cpu", HALF[version]) as joined:
        inside = machine_in(joined)
        yield judged(name, share(1, quota), share(inside.cores, inside.quota))
        beside = machine_in([*joined, "unshare", "--cgroup"])
        tried = f"{name}, from a namespace of its own"
        yield judged(tried, share(1, quota), share(beside.cores, beside.quota))
    told = [each for each in differences(outside, inside) if each.startswith("quota")]
    tried = f"{name}: hifi-bench compare with a run outside of it"
    yield judged(tried, "refused", "refused" if told else "compared")


def some_memory(version: int) -> Iterator[Check]:
    """A limit on the group above the process's own."""
    name = f"version {version}, 1 GiB for the group above"
    there = min(SOME_MEMORY, machine_in(()).memory_bytes)
    with limited(version, "memory", {MEMORY[version]: str(SOME_MEMORY)}) as joined:
        found = machine_in(joined).memory_bytes
        yield judged(f"{name}: what is recorded", f"{there} bytes", f"{found} bytes")
        with scratch.folder() as folder:
            ran = run([*joined, *tool(EXPORT, *TOO_LARGE, "--out", str(folder))])
        yield judged(
            f"{name}: hifi-export {' '.join(TOO_LARGE)}",
            "exit code 1, in one line",
            ended(ran),
            ran.returncode == 1 and len(ran.stderr.splitlines()) == 1,
        )


def set_of_cpus(version: int) -> Iterator[Check]:
    """One CPU for the group above the process's own."""
    cpu = str(min(os.sched_getaffinity(0)))
    settings = {"cpuset.mems": "0", "cpuset.cpus": cpu} if version == 1 else {"cpuset.cpus": cpu}
    with limited(version, "cpuset", settings) as joined:
        found = machine_in(joined)
    tried = f"version {version}, a set of one CPU for the group above"
    yield judged(tried, share(1, found.quota), share(found.cores, found.quota))


def masks() -> Iterator[Check]:
    """Sets of CPUs by taskset, their cores as lscpu tells them."""
    told = run(["lscpu", "--parse=CPU,CORE"]).stdout.splitlines()
    pairs = (map(int, line.split(",")) for line in told if not line.startswith("#"))
    core_of = {cpu: core for cpu, core in pairs if cpu in os.sched_getaffinity(0)}
    first = {core: cpu for cpu, core in sorted(core_of.items(), reverse=True)}
    threads = [cpu for cpu in core_of if core_of[cpu] == core_of[min(core_of)]]
    sets = {
        "every CPU": list(core_of),
        "the first half": sorted(core_of)[: max(1, len(core_of) // 2)],
        "one CPU of each core": list(first.values()),
        f"the {len(threads)} CPUs of one core": threads,
    }
    for name, cpus in sets.items():
        found = machine_in(["taskset", "--cpu-list", ",".join(map(str, cpus))])
        cores = len({core_of[cpu] for cpu in cpus})
        expected = max(1, min(cores, int(found.quota))) if found.quota else cores
        tried = f"taskset, {name}: {', '.join(map(str, sorted(cpus)))}"
        yield judged(tried, share(expected, found.quota), share(found.cores, found.quota))
