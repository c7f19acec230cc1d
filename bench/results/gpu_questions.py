"""Questions about engines that only a GPU can answer, each answered in a line.

``python -m bench.results.gpu_questions`` answers them in a process of its own: an engine that is
not for this GPU may end it.
"""

from collections.abc import Iterator
from pathlib import Path

import typer

from bench.results.in_time import run_python
from export.cache import cached_export
from export.engine.cache import cached_engine
from export.engine.library import find_library
from export.engine.optimisation import exactly
from export.engine.request import EngineRequest, targets_of
from export.engine.runtime import deserialize
from export.gpu import Gpu, find_gpu
from export.request import ExportRequest
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant

ANSWER = "answer: "  # libraries print beside it
PLACES = ("/usr/lib", "/usr/local", "/opt")


def asked_apart(seconds: float) -> tuple[str, ...]:
    """The answers that there are when the time is over or the process ends.

    Args:
        seconds: that all of them may take.
    """
    ran = run_python(["-m", "bench.results.gpu_questions"], seconds)
    answers = tuple(line for line in ran.lines if line.startswith(ANSWER))
    told = tuple(line.removeprefix(ANSWER) for line in answers)
    if ran.code == 0:
        return told
    last = ran.lines[-1].removeprefix(ANSWER) if ran.lines else "it said nothing"
    return (*told, f"questions about engines: {ran.how}: {last}")


def findings(gpu: Gpu) -> Iterator[str]:
    """What else of TensorRT is here, and which engines of TensorRT for RTX load."""
    yield other_libraries(PLACES)
    try:
        yield from _engines(gpu)
    except HifiError as error:
        yield f"TensorRT for RTX: {error}"


def other_libraries(places: tuple[str, ...]) -> str:
    """Files of any TensorRT on this machine."""
    found = sorted(str(path) for place in places for path in Path(place).rglob("libnvinfer.so*"))
    return f"TensorRT on this machine: {', '.join(found) or 'none'}"


def _engines(gpu: Gpu) -> Iterator[str]:
    """The portable engine, then one for each compute capability alone."""
    library = find_library("rtx")
    request = ExportRequest(Variant("mpd", "11"), views=("scores",))
    source = Source()
    onnx = cached_export(request, source.identity, source.build)
    for targets in ((), *((target,) for target in targets_of(library))):
        name = f"{library}, engine for {', '.join(targets) or 'every GPU'}, on {gpu}"
        try:
            wanted = EngineRequest("rtx", targets)
            engine = cached_engine(onnx, wanted, exactly({"batch": 1, "samples": 8192}), library)
            deserialize(library, engine.path.read_bytes())
        except HifiError as error:
            yield f"{name}: {error}"
        else:
            yield f"{name}: loads"


def main() -> None:
    """Tell each answer as soon as it is there."""
    for each in findings(find_gpu()):
        typer.echo(f"{ANSWER}{' '.join(each.split())}")


if __name__ == "__main__":
    main()
