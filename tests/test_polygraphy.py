"""A second opinion: NVIDIA's own tool reads the exported files and compares what they compute."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from export import pipeline
from export.interface import interface
from export.request import ExportRequest
from export.stream_record import ChunkPlan
from export.streaming.write import export_chunk
from export.verify import run_torch
from hifigan_ref import audio
from hifigan_ref.source import Source
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

POLYGRAPHY = str(Path(sys.executable).with_name("polygraphy"))
SAMPLES = 401  # no multiple of any period
ENVIRONMENT = os.environ | {"POLYGRAPHY_USE_TENSORRT_RTX": "1"}
PARSE = """
import sys
from polygraphy.backend.trt import NetworkFromOnnxPath
_, network, _ = NetworkFromOnnxPath(sys.argv[1])()
print(*(network.get_output(i).name for i in range(network.num_outputs)))
"""
SAVE = """
import sys
import numpy as np
from polygraphy.comparator import RunResults
from polygraphy.json import save_json
folder = sys.argv[1]
save_json([dict(np.load(f"{folder}/inputs.npz"))], f"{folder}/inputs.json")
for name in ("outputs", "wrong"):
    results = RunResults()
    results.add([dict(np.load(f"{folder}/{name}.npz"))], runner_name="pytorch")
    results.save(f"{folder}/{name}.json")
"""


def python(code: str, *arguments: Path) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    ran = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module", params=["mpd", "msd"])
def trained(request: pytest.FixtureRequest) -> Trained:
    found: Trained = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def file(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("polygraphy") / f"{trained.variant}.onnx"
    return pipeline.export_onnx(ExportRequest(trained.variant), trained, path).artifact.path


@pytest.fixture(scope="module")
def recorded(trained: Trained, file: Path) -> Path:
    """A folder with inputs, PyTorch's outputs and wrong ones, as Polygraphy reads them."""
    folder = file.parent
    inputs = {"y": audio.clip().batch(1, SAMPLES)}
    network = interface(trained.module, ExportRequest(trained.variant))
    outputs = {name: np.asarray(array) for name, array in run_torch(network, inputs).items()}
    last = list(outputs)[-1]
    wrong = {**outputs, last: outputs[last] * np.float32(1.01)}
    for name, arrays in (("inputs", inputs), ("outputs", outputs), ("wrong", wrong)):
        np.savez(folder / f"{name}.npz", allow_pickle=False, **arrays)
    python(SAVE, folder)
    return folder


def polygraphy_run(file: Path, expected: Path) -> "subprocess.CompletedProcess[str]":
    tool = Path(sys.executable).with_name("polygraphy")
    words = f"run {file} --onnxrt --load-inputs {expected.with_name('inputs.json')} "
    words += f"--load-outputs {expected} --rtol 1e-4 --atol 1e-4"
    command = [str(tool), *words.split()]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def test_polygraphy_parses_it_with_tensorrt_rtx(file: Path) -> None:
    graph = onnx.load(file, load_external_data=False).graph
    told = python(PARSE, file)
    assert told.split() == [output.name for output in graph.output]


def test_polygraphy_finds_onnxruntime_equal_to_pytorch(file: Path, recorded: Path) -> None:
    ran = polygraphy_run(file, recorded / "outputs.json")
    assert ran.returncode == 0, ran.stdout[-2000:]
    assert "Pass Rate: 100.00%" in ran.stdout


@pytest.mark.parametrize("trained", ["msd"], indirect=True)
def test_polygraphy_sees_one_output_that_differs(file: Path, recorded: Path) -> None:
    ran = polygraphy_run(file, recorded / "wrong.json")
    assert ran.returncode != 0
    assert "Pass Rate: 0.00%" in ran.stdout


@pytest.mark.parametrize("stateful", [False, True])
def test_files_of_chunks_are_read_and_run(stateful: bool, tmp_path: Path) -> None:
    variant = Variant.parse("generator-v3@upsample_initial_channel=32")
    trained = Source.of([variant], None, 0).build(variant)
    plan = ChunkPlan(8, stateful=stateful)
    made = export_chunk(ExportRequest(variant), plan, trained, tmp_path / "v3.onnx")
    read = python(PARSE, made.artifact.path).splitlines()[-1].split()  # behind its warnings
    kept = [name for name in read if name.startswith("next_state_")]
    assert read[0] == "audio" and len(read) == 1 + len(kept)
    assert ("next_state_past" in kept) == stateful
    run = [POLYGRAPHY, "run", str(made.artifact.path), "--onnxrt", "--model-type=onnx"]
    ran = subprocess.run(run, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0 and "PASSED" in ran.stdout, ran.stdout + ran.stderr
