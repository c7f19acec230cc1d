"""A user's own module: exported, measured, and refused in one line."""

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

import cli
import hifigan_ref
from fakes import Ran, run_main
from hifigan_ref.mel import Mel
from hifigan_ref.module_file import source_digest
from hifigan_ref.module_spec import inputs_of, parse_spec
from hifigan_ref.probing import port_of

UNET = ("--input", "x=batch,1,samples", "--input", "g=batch,1,1")
NETS = """
import torch
import torch.nn.functional as F
from torch import nn

from hifigan_ref.network import Axis, Port, Signature


class Unet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.ModuleList([nn.Conv1d(2, 16, 5, padding=2), nn.Conv1d(16, 32, 4, 2, 1)])
        self.up = nn.ConvTranspose1d(32, 16, 4, 2, 1)
        self.post = nn.Conv1d(32, 1, 7, padding="same", bias=False)

    def forward(self, x, g):
        samples = x.shape[-1]
        x = F.pad(x, (0, -samples % 2))
        a = F.leaky_relu(self.down[0](torch.cat([x, x + g], 1)), 0.2)
        b = F.relu(self.up(torch.tanh(self.down[1](a))))
        return {"audio": torch.tanh(self.post(torch.cat([a, b], 1)))[..., :samples]}


class Spec(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ELU(), nn.Conv2d(8, 16, 3, 2, 1))
        self.head = nn.Linear(16, 10)

    def forward(self, mel):
        return self.head(self.convs(mel.unsqueeze(1)).mean((2, 3)))


BATCH = Axis("batch", typical=2, largest=32)
SAMPLES = Axis("samples", typical=4000, largest=80000, unit_s=1 / 16000)


class Stack(nn.Module):
    SIGNATURE = Signature(
        (Port("y", (BATCH, 1, SAMPLES), role="waveform"),), (Port("z", (BATCH, 1, SAMPLES)),)
    )

    def __init__(self):
        super().__init__()
        self.pre = nn.Conv1d(1, 24, 1)
        dilated = (nn.Conv1d(24, 24, 3, padding=2**i, dilation=2**i) for i in range(4))
        self.convs = nn.ModuleList(dilated)
        self.post = nn.Conv1d(24, 1, 1)

    def forward(self, y):
        x = self.pre(y)
        for conv in self.convs:
            x = x + F.leaky_relu(conv(x), 0.1)
        return {"z": self.post(x)}


class Branch(Stack):
    def forward(self, y):
        if y.shape[-1] % 2:
            y = F.pad(y, (0, 1))
        return {"z": self.post(self.pre(y))}


class Sorted(Stack):
    def forward(self, y):
        return {"z": torch.sort(y)[0]}


class Needy(Unet):
    def __init__(self, channels):
        super().__init__()


class Liar(Stack):
    SIGNATURE = Signature(Stack.SIGNATURE.inputs, (Port("z", (BATCH, 2, SAMPLES)),))


class Ups(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose1d(1, 4, 4, 2, 1)
        self.head = nn.Linear(4, 2)

    def forward(self, y):
        return self.head(self.up(y).transpose(1, 2))


def plain(x):
    return x
"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "nets.py"
    path.write_text(NETS)
    return path


def export(*given: object) -> Ran:
    return run_main(cli.export_main, "onnx", *given)


@pytest.mark.parametrize("opset", [11, 17, 26])
def test_two_inputs_and_a_transposed_convolution(nets: Path, opset: int) -> None:
    ran = export("--network", f"{nets}:Unet", *UNET, "--opset", opset, "--out", "o")
    assert ran.code == 0, ran.err
    session = ort.InferenceSession("o/Unet.onnx", providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["x", "g"]
    for samples in (1, 2, 1001):
        given = {"x": np.ones((3, 1, samples), np.float32), "g": np.ones((3, 1, 1), np.float32)}
        (audio,) = session.run(None, given)
        assert audio.shape == (3, 1, samples)
    manifest = json.loads(Path("o/Unet.json").read_text())
    assert manifest["variant"].startswith("nets.py:Unet(x=batch,1,samples;g=batch,1,1)@")
    assert str(nets.parent) not in json.dumps(manifest)


def test_items_that_are_not_those_of_the_batch_are_not_called_so(nets: Path) -> None:
    made = '{"a": 2 * y.reshape(-1, 1, y.shape[2]), "b": y[:, ::2, ::2]}'
    forward = f"def forward(self, y): return {made}"
    nets.write_text(f"from torch import nn\nclass Net(nn.Module):\n    {forward}\n")
    command = ("--network", f"{nets}:Net", "--input", "y=batch,frames,samples")
    ran = export(*command, "--out", "o")
    assert ran.code == 0, ran.err
    shapes = [port["shape"] for port in json.loads(Path("o/Net.json").read_text())["outputs"]]
    assert shapes == [["a_items", 1, "samples"], ["batch", "b_frames", "b_frames_2"]]


def test_another_source_is_another_file(nets: Path) -> None:
    command = ("--network", f"{nets}:Spec", "--input", "mel=batch,80,frames", "--out")
    assert export(*command, "a").code == 0
    nets.write_text(NETS.replace("nn.ELU()", "nn.ReLU()"))
    assert export(*command, "b").code == 0
    kinds = [{n["op_type"] for n in nodes(Path(folder) / "Spec.onnx")} for folder in ("a", "b")]
    assert "Elu" in kinds[0] and "Elu" not in kinds[1] and "Relu" in kinds[1]


def test_what_it_imports_from_its_folder_is_a_part_of_its_source(nets: Path) -> None:
    beside, other = nets.with_name("beside.py"), nets.with_name("unrelated.py")
    nets.write_text("def deep():\n    import beside\n" + NETS)
    beside.write_text("WIDTH = 8\n")
    first = source_digest(nets)
    other.write_text("WIDTH = 9\n")
    assert source_digest(nets) == first
    beside.write_text("import unrelated\n")
    second = source_digest(nets)
    assert second != first
    other.write_text("WIDTH = 10\n")
    assert source_digest(nets) not in (first, second)


def test_a_batch_said_as_an_axis_is_measured(nets: Path) -> None:
    given = ("--network", f"{nets}:Stack", "--axis", "samples=500", "--axis", "batch=3")
    ran = run_main(cli.bench_main, *given, "--backend", "ort-cpu", "--limit", 0.05, "--out", "r")
    assert ran.code == 0, ran.err
    (row,) = json.loads(Path("r/report.json").read_text())["results"]
    assert row["workload"]["sizes"] == {"batch": 3, "samples": 500}
    ran = run_main(cli.bench_main, *given, "--batch", 2, "--backend", "ort-cpu", "--out", "r")
    assert ran.code == 1 and "--axis batch=3 and --batch: give one of the two" in ran.err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--axis", "batch=3"), "samples 5 is too small for mpd-11"),  # the batch is none's default
        (("--axis", "batch=3", "--batch", 2), "--axis batch=3 and --batch 2: give one of the two"),
    ],
)
def test_a_batch_said_as_an_axis_is_tuned(given: tuple[object, ...], told: str) -> None:
    ran = run_main(cli.bench_main, "tune", "--period", 11, "--axis", "samples=5", *given)
    assert ran.code == 1 and told in ran.err


def nodes(path: Path) -> list[dict[str, str]]:
    import onnx

    return [{"op_type": node.op_type} for node in onnx.load(path).graph.node]


def test_weights_are_those_of_a_state_dict(nets: Path) -> None:
    spec = parse_spec(f"{nets}:Stack")
    from hifigan_ref.module_file import load_class

    module = load_class(spec)()
    state = {f"module.{key}": tensor for key, tensor in module.state_dict().items()}
    torch.save({"model": state, "step": 3}, "stack.pt")
    ran = export("--network", f"{nets}:Stack", "--weights", "stack.pt", "--out", "o")
    assert ran.code == 0, ran.err
    session = ort.InferenceSession("o/Stack.onnx", providers=["CPUExecutionProvider"])
    y = np.random.default_rng(0).standard_normal((1, 1, 500), np.float32)
    (found,) = session.run(None, {"y": y})
    with torch.no_grad():
        expected = module(torch.from_numpy(y))["z"].numpy()
    assert np.allclose(found, expected, atol=1e-5)
    torch.save(dict(list(state.items())[1:]), "less.pt")
    ran = export("--network", f"{nets}:Stack", "--weights", "less.pt", "--out", "o")
    assert ran.code == 1 and "does not fit Stack: missing pre.weight; give a state" in ran.err


def test_it_is_measured_and_proved(nets: Path) -> None:
    network = ("--network", f"{nets}:Stack")
    given = ("--axis", "samples=2000", "--backend", "torch", "--backend", "ort-cpu", "--limit", 0.1)
    ran = run_main(cli.bench_main, *network, *given, "--out", "r")
    assert ran.code == 0, ran.err
    rows = json.loads(Path("r/report.json").read_text())["results"]
    assert [row["backend"] for row in rows] == ["torch", "ort-cpu"]
    assert all(row["workload"]["sizes"] == {"batch": 1, "samples": 2000} for row in rows)
    ran = run_main(cli.bench_main, "parity", *network, "--out", "r")
    assert ran.code == 0 and "PASSED" in ran.out, ran.err


SPEC = ("--input", "mel=batch,80,frames")
FRAMES = ("--axis", "frames=4::64", "--max-batch", 4)


@pytest.fixture
def spec(nets: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of ``Spec``; whoever reads it stands in another folder than its module."""
    assert export("--network", "nets.py:Spec", *SPEC, "--out", "o").code == 0
    monkeypatch.setattr("hifigan_ref.variant._MODULES", {})
    (nets.parent / "elsewhere").mkdir()
    monkeypatch.chdir(nets.parent / "elsewhere")
    return Path("../o/Spec.onnx")


def test_a_file_is_proved_from_another_folder_than_its_module_at_lengths_of_any_axis(
    spec: Path,
) -> None:
    ran = run_main(cli.bench_main, "parity", spec, "--out", "r")
    assert ran.code == 1 and "nets.py cannot be read" in ran.err
    assert "--network FOLDER/nets.py" in ran.err
    at = ("--network", "../nets.py:Spec", "--out", "r")
    lengths = ("--axis", "frames=5", "--axis", "frames=9", "--axis", "batch=3")
    ran = run_main(cli.bench_main, "parity", spec, *at, *lengths)
    assert ran.code == 0, ran.err
    (report,) = json.loads(Path("r/parity.json").read_text())
    sizes = [case["sizes"] for case in report["cases"]]
    assert sizes == [{"batch": 3, "frames": 5}, {"batch": 3, "frames": 9}]
    ran = run_main(cli.bench_main, "parity", spec, "--network", "../nets.py:Unet", "--out", "r")
    assert ran.code == 1 and "--network ../nets.py:Unet: the file is of nets.py:Spec" in ran.err


def test_lengths_that_leave_every_remainder_of_a_usual_stride_are_run(nets: Path) -> None:
    ran = run_main(cli.bench_main, "parity", "--network", f"{nets}:Unet", *UNET, "--out", "r")
    assert ran.code == 0, ran.err
    (report,) = json.loads(Path("r/parity.json").read_text())
    lengths = {case["sizes"]["samples"] for case in report["cases"]}
    assert {length % 16 for length in lengths} == set(range(16))


def test_no_code_runs_but_that_which_made_a_file(spec: Path) -> None:
    Path("../nets.py").write_text("raise SystemExit('it ran')")
    ran = run_main(cli.bench_main, "parity", spec, "--network", "../nets.py:Spec", "--out", "r")
    assert ran.code == 1 and "../nets.py is not the source that made this" in ran.err


def test_an_engine_accepts_lengths_of_any_axis(spec: Path) -> None:
    ran = run_main(cli.export_main, "trt", spec, "--network", "../nets.py:Spec", *FRAMES)
    assert ran.code == 0, ran.err
    assert "batch 1 to 4, frames 4 to 64" in ran.out
    for axes, told in {
        ("frames=4:32",): "--axis frames=4:32: write min, opt and max, as in --axis",
        ("batch=1:2:3",): "--axis batch=1:2:3 and another profile for batch: give one",
        ("frames=9:8:7",): "a profile of frames=9:8:7 is out of order: give min <= opt <= max",
        ("frames=4",): "Spec.onnx and --axis: give one of the two",
        ("samples=::9",): "a profile for samples, which Spec has not: choose from batch, frames",
    }.items():
        given = [each for axis in axes for each in ("--axis", axis)]
        at = ("--network", "../nets.py:Spec", "--max-batch", 4)
        ran = run_main(cli.export_main, "trt", spec, *at, *given)
        assert ran.code == 1 and told in ran.err, ran.err


def test_a_plan_of_its_layers_is_measured(nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hifigan_ref.variant._MODULES", {})
    plan = {"schema": 1, "origin": "by hand", "layers": {"Stack.convs.1": "wide"}}
    Path("plan.json").write_text(json.dumps(plan))
    given = ("--axis", "samples=500", "--limit", 0.05, "--rounds", 1, "--out", "r")
    backend = ("--backend", "ort-cpu:lowering=plan.json")
    ran = run_main(cli.bench_main, "--network", f"{nets}:Stack", *given, *backend)
    assert ran.code == 0, ran.err
    (row,) = json.loads(Path("r/report.json").read_text())["results"]
    assert row["backend"] == backend[1]


def test_it_may_compute_in_fewer_bits(nets: Path) -> None:
    for precision in ("fp16", "int8"):
        ran = export("--network", f"{nets}:Stack", "--precision", precision, "--out", precision)
        assert ran.code == 0, ran.err
        assert f"; {precision}; " in ran.out


def test_int8_tells_what_stays_in_float32_and_that_no_speech_was_heard(
    nets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("--network", f"{nets}:Spec", *SPEC, "--precision", "int8", "--out", "o")
    ran = export(*command)
    assert ran.code == 0, ran.err
    assert "; int8; float32 in 2 of 3 layers; " in ran.out and "dBFS" not in ran.out
    (nets.parent / "elsewhere").mkdir()
    monkeypatch.chdir(nets.parent / "elsewhere")
    monkeypatch.setattr("hifigan_ref.variant._MODULES", {})
    told = run_main(cli.export_main, "inspect", "../o/Spec.onnx").out
    assert "layers in fp32: convs.0, head\nlayers in int8: convs.2\n" in told, told
    assert "calibration: seeded noise" in told and "FLOPs per element of the inputs: -" not in told


def test_int8_of_nothing_is_refused(nets: Path) -> None:
    ran = export("--network", f"{nets}:Ups", "--input", "y=batch,1,samples", "--precision", "int8")
    assert ran.code == 1 and "Ups in int8: it is for convolutions with more than one" in ran.err


def test_audio_for_inputs_that_are_none_is_refused(nets: Path) -> None:
    clip = Path(hifigan_ref.__file__).with_name("data") / "speech_22k.wav"
    command = ("--network", f"{nets}:Spec", *SPEC, "--precision", "int8", "--calibration", clip)
    ran = export(*command)
    assert ran.code == 1 and "none is a waveform (batch, 1, samples)" in ran.err, ran.err


@pytest.mark.parametrize(
    ("network", "inputs", "told"),
    [
        ("Branch", (), "nets.py:59: a branch on a length"),
        ("Sorted", (), "sort has no ONNX form here"),
        ("Needy", UNET[1::2], "Needy() fails: TypeError: "),
        ("Liar", (), "its SIGNATURE says z (2, 2, 4000), its forward gives z (2, 1, 4000)"),
        ("plain", (), "plain is no nn.Module: choose from Unet, Spec, Stack, Branch"),
        ("Gone", (), "Gone is not there: choose from Unet"),
        ("Unet", (), "declares no SIGNATURE: say what it takes (--input x=... --input g=...)"),
        ("Unet", ("x=batch,1,samples",), "g is missing: its forward takes x, g"),
        ("Unet", ("x=batch,1,", "g=batch,1,1"), "is no length and no axis"),
        (
            "Unet",
            ("x=batch,2,samples", "g=batch,1,1"),
            "(2, 2, 8192), g (2, 1, 1) in line 19: ",
        ),
        ("Stack", ("y=batch,1,samples",), "declares its SIGNATURE: leave out --input"),
    ],
)
def test_what_is_wrong_is_one_line(
    nets: Path, network: str, inputs: tuple[str, ...], told: str
) -> None:
    given = [each for text in inputs for each in ("--input", text)]
    ran = export("--network", f"{nets}:{network}", *given, "--out", "o")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1), ran.err
    assert told in ran.err, ran.err
    assert not Path("o").exists() or not list(Path("o").iterdir())


def test_lengths_that_it_does_not_take_are_told(nets: Path) -> None:
    forward = "def forward(self, y): return (2 * y).reshape(y.shape[0], -1, 4)"
    nets.write_text(f"from torch import nn\nclass Net(nn.Module):\n    {forward}\n")
    command = ("--network", f"{nets}:Net", "--input", "y=batch,1,samples", "--out", "o")
    ran = export(*command)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1), ran.err
    assert "nets.py:Net fails on y (2, 1, 2161) in line 3: RuntimeError: shape" in ran.err
    assert "or fix that axis with --axis" in ran.err
    assert export(*command, "--axis", "samples=8192").code == 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--network", "mpdd"), "no network 'mpdd': did you mean 'mpd'?"),
        (("--network", "missing.py:A"), "missing.py cannot be read"),
        (("--network", "nets.py"), "name a class of the file, as in nets.py:"),
        (("--input", "y=batch,1,samples"), "--input is for a module of your own"),
        (("--period", "2", "--axis", "frames=3"), "mpd-2 has no axis 'frames': choose from batch"),
        (("--period", "2", "--axis", "samples"), "--axis samples: write a name and a length"),
        (("--period", "11", "--axis", "samples=5"), "samples 5 is too small for mpd-11"),
        (("--batch", "2", "--axis", "batch=3"), "--axis batch=3 and --batch 2: give one"),
    ],
)
def test_options_that_do_not_fit_are_told(nets: Path, given: tuple[str, ...], told: str) -> None:
    ran = export(*given, "--out", nets.parent / "o")
    assert (ran.code, ran.err.count("\n")) == (1, 1), ran.err
    assert told in ran.err, ran.err


@pytest.mark.parametrize(
    ("shape", "role"),
    [
        ("mel=batch,80,frames", "spectrogram"),
        ("mel=batch,80,steps", "other"),
        ("mel=batch,bins,frames", "other"),
        ("mel=frames", "other"),
    ],
)
def test_bins_over_frames_are_a_spectrogram_where_they_are_called_so(shape: str, role: str) -> None:
    name, dims = shape.split("=")
    port = port_of(name, inputs_of([shape])[name])
    assert (port.role, len(port.shape)) == (role, len(dims.split(",")))
    assert (port.recipe == Mel()) == (role == "spectrogram")
