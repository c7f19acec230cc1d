"""Our clock beside others: a bare loop around onnxruntime, and OpenVINO's own ``benchmark_app``.

Run as ``python -m bench.results.agreement FILE.json``: each pair is timed in turn, round after
round, on the same exported file with the same threads; what counts is the ratio of medians of each
round.
"""

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from bench import judge, pool
from bench.cell.job import Command, Failed, Job, Sampled
from bench.cell.lane import Apart
from bench.machine.survey import this_machine, usable_cores
from bench.records import Workload
from bench.stopping import Limits
from export import atomic, scratch
from export.cache import cached_export
from export.request import ExportRequest
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

BATCH, SAMPLES = 2, 8192
SIZES = {"batch": BATCH, "samples": SAMPLES}
WITHIN = 0.03
BARE_LOOP = """
import sys, time
import numpy as np, onnxruntime as ort
path, inputs, threads, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
options = ort.SessionOptions()
options.intra_op_num_threads = threads
session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
y = {"y": np.load(inputs)["y"]}
end = time.perf_counter() + 1
while time.perf_counter() < end:
    session.run(None, y)
end = time.perf_counter() + seconds
while time.perf_counter() < end:
    start = time.perf_counter()
    session.run(None, y)
    print(time.perf_counter() - start)
"""


@dataclass(frozen=True)
class Pair:
    """One backend beside another way to time its runtime.

    Attributes:
        backend: ours.
        other: theirs.
        ours: median of each round, seconds.
        theirs: median of the same rounds, seconds.
    """

    backend: str
    other: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours over theirs, round by round."""
        return tuple(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    @property
    def agrees(self) -> bool:
        """Whether the median ratio lies within 3 % of one."""
        return abs(median(self.ratios) - 1) <= WITHIN


def time_pair(
    job: Job, other: str, theirs: Callable[[float], float], rounds: int, seconds: float
) -> Pair:
    """Both in turn, in another order at random each round.

    Args:
        job: ours.
        other: name of theirs.
        theirs: a median of so many seconds.
        rounds: how often.
        seconds: of each.

    Raises:
        HifiError: ours failed.
    """
    lane = Apart(job, _never, 600)
    try:
        for name in ("prepare", "warm_up"):
            _ask(lane, Command(name))
        found: list[tuple[float, float]] = []
        shuffle = random.Random(0)  # noqa: S311 - an order, not a secret
        for _ in range(rounds):
            if shuffle.random() < 0.5:
                mine = _sampled(lane, seconds)
                found.append((mine, theirs(seconds)))
            else:
                yours = theirs(seconds)
                found.append((_sampled(lane, seconds), yours))
    finally:
        lane.close()
    return Pair(job.backend, other, tuple(a for a, _ in found), tuple(b for _, b in found))


def _sampled(lane: Apart, seconds: float) -> float:
    reply = _ask(lane, Command("sample", seconds))
    assert isinstance(reply, Sampled)
    return median(reply.seconds)


def _ask(lane: Apart, command: Command) -> object:
    reply = lane.ask(command)
    if isinstance(reply, Failed):
        raise HifiError(reply.reason)
    return reply


def _never() -> Trained:
    raise AssertionError


def bare_loop(path: Path, inputs: Path, threads: int) -> Callable[[float], float]:
    """``InferenceSession.run`` in a loop of its own process, the inputs as they are."""

    def run(seconds: float) -> float:
        words = [sys.executable, "-c", BARE_LOOP, str(path), str(inputs), str(threads)]
        ran = subprocess.run([*words, str(seconds)], capture_output=True, text=True, check=True)  # noqa: S603
        return median(map(float, ran.stdout.split()))

    return run


def benchmark_app(path: Path, threads: int) -> Callable[[float], float]:
    """OpenVINO's tool: one request, one stream, float32."""
    tool = Path(sys.executable).with_name("benchmark_app")
    words = f"-m {path} -d CPU -api sync -hint none -nstreams 1 -nthreads {threads}"
    words += f" -infer_precision f32 -shape y[{BATCH},1,{SAMPLES}]"

    def run(seconds: float) -> float:
        command = [str(tool), *words.replace("", "").split(), "-t", str(round(seconds))]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        told = re.search(r"Median:\s+([\d.]+) ms", ran.stdout)
        if told is None:
            raise HifiError("benchmark_app told no median: look at its output")
        return float(told[1]) / 1e3

    return run


def measure(variant: Variant, rounds: int, seconds: float) -> list[Pair]:
    """Both pairs on one variant."""
    source, threads = Source(), usable_cores()
    request = ExportRequest(variant)
    path = cached_export(request, source.identity, source.build).path
    with scratch.folder() as folder:
        inputs = pool.draw(audio.speech(), request.signature, SIZES)
        pool.save(folder, inputs, judge.reference(source.build(variant), request, inputs[0]))
        load = Workload(str(variant), SIZES, (), "fp32", "clip", source.origin, threads)
        limits = Limits()

        def job(backend: str) -> Job:
            return Job(backend, load, request, path, folder, None, 0, 0, (), limits)

        loop = bare_loop(path, folder / "inputs-0.npz", threads)
        return [
            time_pair(job("ort-cpu"), "a loop around InferenceSession.run", loop, rounds, seconds),
            time_pair(
                job("openvino"), "benchmark_app", benchmark_app(path, threads), rounds, seconds
            ),
        ]


def markdown(pairs: list[Pair], variant: Variant) -> str:
    """A table of medians and ratios."""
    machine = this_machine()
    place = f"{usable_cores()} threads on {machine.cpu}"
    rounds = len(pairs[0].ours)
    lines = [
        f"{variant}, {BATCH} x {SAMPLES}, {place}; medians of {rounds} rounds, in turn.",
        "",
        "| ours | theirs | ours ms | theirs ms | ratio | of the rounds | within 3 % |",
        "| :-- | :-- | --: | --: | --: | --: | :-- |",
    ]
    for pair in pairs:
        span = f"{min(pair.ratios):.3f} to {max(pair.ratios):.3f}"
        lines.append(
            f"| {pair.backend} | {pair.other} | {1e3 * median(pair.ours):.2f} | "
            f"{1e3 * median(pair.theirs):.2f} | {median(pair.ratios):.3f} | {span} | "
            f"{'yes' if pair.agrees else 'NO'} |"
        )
    return "\n".join(lines) + "\n"


def main(
    path: Annotated[Path, typer.Argument(help="Where the record goes, .json; .md beside it.")],
    variant: Annotated[str, typer.Option(help="Network.")] = "mpd-11",
    rounds: Annotated[int, typer.Option(help="Of each pair.")] = 9,
    seconds: Annotated[float, typer.Option(help="Of each turn.")] = 2,
) -> None:
    """Time both pairs and write the record."""
    network = Variant.parse(variant)
    pairs = measure(network, rounds, seconds)
    record = {"machine": asdict(this_machine()), "pairs": [asdict(pair) for pair in pairs]}
    page = markdown(pairs, network)
    text = json.dumps(record, indent=1) + "\n"
    atomic.write_all({path: text.encode(), path.with_suffix(".md"): page.encode()})
    typer.echo(page)


if __name__ == "__main__":
    typer.run(main)
