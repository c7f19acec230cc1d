"""Time this tool's own command lines, each in a fresh process: seconds and peak memory.

Run as ``python -m bench.results.commands FILE.json``; writes the samples there and
a table beside it.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.machine.survey import this_machine
from export import atomic, scratch
from export.store import FOLDER_VARIABLE


@dataclass(frozen=True)
class Goal:
    """A command and what it may take.

    Attributes:
        command: as typed; ``OUT`` stands for an empty folder, the cache is empty too.
        seconds: at most, from start to exit.
        gigabytes: of resident memory at its peak, at most; 0 where it does not matter.
        runs: how often it is timed.
        again: whether it is run once before, in the same folder and with the same cache.
    """

    command: str
    seconds: float
    gigabytes: float
    runs: int
    again: bool = False

    @property
    def told(self) -> str:
        """As it stands in the table."""
        return f"`{self.command}`" + (", a second time" if self.again else "")


GOALS = (
    Goal("hifi-export --help", 0.5, 0, 11),
    Goal("hifi-bench --help", 0.5, 0, 11),
    Goal("hifi-export onnx --period 11 --out OUT", 10, 0, 5),
    Goal("hifi-export onnx --out OUT", 40, 3, 3),
    Goal("hifi-export trt --out OUT", 60, 0, 3),
    Goal("hifi-export trt --out OUT", 3, 0, 5, again=True),
)


@dataclass(frozen=True)
class Timing:
    """A command as it was.

    Attributes:
        goal: what was timed.
        seconds: of every run.
        gigabytes: peak of every run, 10^9 bytes.
    """

    goal: Goal
    seconds: tuple[float, ...]
    gigabytes: tuple[float, ...]

    @property
    def met(self) -> bool:
        """Whether the median run stayed within the goal."""
        small = not self.goal.gigabytes or max(self.gigabytes) <= self.goal.gigabytes
        return median(self.seconds) <= self.goal.seconds and small


def time_command(goal: Goal) -> Timing:
    """Run a command as often as its goal says; an exit code other than 0 is an error."""
    if goal.again:
        with scratch.folder() as folder:
            _run(goal.command, folder)
            runs = [_run(goal.command, folder) for _ in range(goal.runs)]
    else:
        runs = [_run_afresh(goal.command) for _ in range(goal.runs)]
    return Timing(goal, tuple(s for s, _ in runs), tuple(m for _, m in runs))


def _run_afresh(command: str) -> tuple[float, float]:
    with scratch.folder() as folder:
        return _run(command, folder)


def _run(command: str, folder: Path) -> tuple[float, float]:
    out = f"{folder}/out"
    program, *rest = [out if word == "OUT" else word for word in command.split()]
    found = shutil.which(program, path=str(Path(sys.executable).parent)) or program
    environment = os.environ | {FOLDER_VARIABLE: f"{folder}/cache"}
    start = perf_counter()
    process = subprocess.Popen([found, *rest], stdout=subprocess.DEVNULL, env=environment)  # noqa: S603
    _, status, usage = os.wait4(process.pid, 0)
    seconds = perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return seconds, kilobytes * 1024 / 1e9


def markdown(timings: list[Timing]) -> str:
    """A table of medians beside their goals."""
    machine = this_machine()
    lines = [
        f"Fresh processes on {machine.cpu}, {machine.cores} cores; medians, memory at its peak.",
        "",
        "| command | seconds | range | goal | GB | goal | met |",
        "| :-- | --: | --: | --: | --: | --: | :-- |",
    ]
    for timing in timings:
        goal, seconds = timing.goal, timing.seconds
        lines.append(
            f"| {goal.told} | {median(seconds):.2f} | {min(seconds):.2f} to "
            f"{max(seconds):.2f} | {goal.seconds:g} | {max(timing.gigabytes):.2f} | "
            f"{goal.gigabytes or '-'} | {'yes' if timing.met else 'NO'} |"
        )
    return "\n".join(lines) + "\n"


def main(path: Path) -> None:
    """Time every goal and write the results."""
    timings = [time_command(goal) for goal in GOALS]
    record = {"machine": asdict(this_machine()), "timings": [asdict(each) for each in timings]}
    text = json.dumps(record, indent=1) + "\n"
    atomic.write_all({path: text.encode(), path.with_suffix(".md"): markdown(timings).encode()})
    sys.stdout.write(markdown(timings))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
