"""Sweep files: what is read, what is refused and how, and what is shown before anything runs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import cli
from bench.backend import backends
from bench.machine.survey import usable_cores
from bench.render.views.cells import lines
from bench.stopping import Limits
from bench.suite import MOST_THREADS
from bench.sweep.file import read
from bench.sweep.keys import KEYS
from bench.sweep.part import SweepPart
from export.lowering.plan import LoweringPlan
from export.lowering.plan import write_plan as write_lowering
from export.precision.plan import PrecisionPlan, write_plan
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant

EXAMPLE = Path(cli.__file__).parent / "docs" / "sweep.toml"

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str) -> Path:
        path = tmp_path / "sweep.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def refused(path: Path) -> str:
    with pytest.raises(HifiError) as error:
        read(path)
    told = str(error.value)
    assert len(told.splitlines()) == 1
    assert told.startswith(str(path)) or str(path) in told
    return told


# What is read


def test_the_example_is_what_it_says() -> None:
    latency, pairs, bits, *lengths = read(EXAMPLE)
    assert (latency.backends, latency.batches) == (("torch", "ort-cpu"), (1, 4, 16))
    assert (pairs.views, pairs.batches) == (("scores", "pair"), (1,))
    assert bits.backends == (
        *("torch-folded", "torch-folded:precision=bf16", "torch-folded:precision=int8"),
        *("openvino", "openvino:precision=bf16", "openvino:precision=int8"),
    )
    told = [cell.workload.precision for cell in bits.cells()]
    assert told == ["fp32", "bf16", "int8"] * 2
    assert [part.sizes for part in lengths] == [{"samples": 11264}, {"samples": 11265}]
    assert [part.variants for part in lengths] == [(Variant("mpd", "11"),)] * 2
    assert {part.limit for part in (latency, pairs, *lengths)} == {5.0}
    assert [sum(1 for _ in part.cells()) for part in (latency, pairs, *lengths)] == [12, 4, 1, 1]


def test_an_empty_file_is_the_plain_command(write: Write) -> None:
    (part,) = read(write(""))
    runnable = tuple(name for name, each in backends().items() if each.missing() is None)
    assert part == SweepPart(runnable, usable_cores())
    assert part.variants == (Variant("mpd"), Variant("msd"))
    assert (part.batches, part.views) == ((1,), ())
    assert [cell.workload.sizes["samples"] for cell in part.cells()] == [8192] * part.plan().cells
    assert part.limits == Limits()
    assert part.source == Source()


def test_a_table_overrides_the_top(write: Write) -> None:
    text = """
        backends = ["torch", "torch", "ort-cpu"]
        variants = ["mpd-2"]
        seed = 3
        limit = 2
        [[matrix]]
        batches = [1, 2, 1]
        [[matrix]]
        variants = ["msd-0"]
        threads = 1
        seed = -4
        limit = 0.5
        rounds = 7
        timeout = 30
    """
    first, second = read(write(text))
    assert (first.backends, first.batches) == (("torch", "ort-cpu"), (1, 2))
    assert (first.variants, first.seed, first.limit) == ((Variant("mpd", "2"),), 3, 2.0)
    assert (second.variants, second.threads) == ((Variant("msd", "0"),), 1)
    assert (second.seed, second.rounds, second.timeout) == (-4, 7, 30.0)
    assert second.limits == Limits(0.5, 0.5, 0.5)


def test_lengths_and_pairs_are_parts(write: Write) -> None:
    parts = read(write('backends = ["torch"]\nsamples = [100, 200]\npair = [false, true]'))
    shapes = [(part.sizes["samples"], "pair" in part.views) for part in parts]
    assert shapes == [(100, False), (100, True), (200, False), (200, True)]


NETWORK = """
from torch import nn


class Spec(nn.Conv1d):
    def __init__(self):
        super().__init__(80, 2, 3)

    def forward(self, mel):
        return super().forward(mel)
"""


def test_lengths_of_any_axis_of_a_module_beside_the_file(write: Write) -> None:
    text = """
        backends = ["torch"]
        variants = ["net.py:Spec(mel=batch,80,frames)"]
        axes = { frames = [32, 64], batch = [1, 4] }
    """
    path = write(text)
    path.with_name("net.py").write_text(NETWORK)
    parts = read(path)
    assert [(part.sizes, part.batches) for part in parts] == [
        ({"frames": 32}, (1, 4)),
        ({"frames": 64}, (1, 4)),
    ]
    assert [cell.workload.sizes for cell in parts[0].cells()] == [
        {"batch": 1, "frames": 32},
        {"batch": 4, "frames": 32},
    ]


def test_a_module_without_a_batch_is_one_item(write: Write) -> None:
    path = write('backends = ["torch"]\nvariants = ["net.py:Spec(mel=80,frames)"]')
    path.with_name("net.py").write_text(NETWORK)
    (part,) = read(path)
    assert [cell.workload.sizes for cell in part.cells()] == [{"frames": 64}]
    path.write_text(f"{path.read_text()}\nbatches = [2]")
    assert "Spec has no axis 'batch': choose from frames" in refused(path)


def test_a_plan_is_what_the_part_says(write: Write) -> None:
    text = 'backends = ["torch"]\nvariants = ["mpd-3"]\nbatches = [2]\nsamples = [99]\nthreads = 1'
    (part,) = read(write(text + '\noutputs = "scores"\npair = true\nlimit = 0.5'))
    plan = part.plan()
    assert (plan.backends, plan.variants, plan.batches) == (
        ("torch",),
        (Variant("mpd", "3"),),
        (2,),
    )
    assert (plan.sizes, plan.views, plan.threads) == ({"samples": 99}, ("scores", "pair"), 1)
    assert (plan.recording.source, plan.limits) == ("clip", Limits(0.5, 0.5, 0.5))
    assert plan.cells == sum(1 for _ in part.cells()) == 1


def test_files_are_relative_to_the_sweep(tmp_path: Path, write: Write) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 3000).astype(np.float32)
    soundfile.write(tmp_path / "x.wav", noise, 16000)
    (tmp_path / "do_1").touch()
    (part,) = read(write('backends = ["torch"]\nwav = "x.wav"\ncheckpoint = "do_1"'))
    assert (part.wav, part.checkpoint) == (tmp_path / "x.wav", tmp_path / "do_1")
    assert part.source == Source(tmp_path / "do_1")
    (cell, _) = part.cells()
    assert (cell.workload.source, cell.workload.weights) == ("x.wav", "do_1")
    assert part.plan().recording.rate == 16000


def test_plans_lie_beside_the_file(tmp_path: Path, write: Write) -> None:
    elsewhere = tmp_path / "elsewhere" / "plan.json"
    plan, forms = tmp_path / "plan.json", tmp_path / "sub" / "forms.json"
    for path in (elsewhere, plan, forms):
        path.parent.mkdir(exist_ok=True)
        lowering = write_lowering(LoweringPlan("by hand"))
        path.write_text(lowering if path == forms else write_plan(PrecisionPlan("fp16")))
    text = f"""
        backends = ["torch", "openvino:lowering=default", "ort-cpu:lowering=sub/forms.json"]
        precision = ["fp32", "plan.json", "{elsewhere}"]
        [[matrix]]
        [[matrix]]
        backends = ["openvino:precision=plan.json,lowering=sub/forms.json"]
        batches = [2]
        precision = ["plan.json"]
    """
    first, second = read(write(text))
    assert first.backends == tuple(
        spec
        for name, joint in (
            ("torch", ":"),
            ("openvino:lowering=default", ","),
            (f"ort-cpu:lowering={forms}", ","),
        )
        for spec in (
            name,
            f"{name}{joint}precision={plan}",
            f"{name}{joint}precision={elsewhere}",
        )
    )
    assert second.backends == (f"openvino:precision={plan},lowering={forms}",)


@pytest.mark.parametrize(
    "line",
    [
        'precision = ["plan.json"]',
        'backends = ["ort-cpu:lowering=forms"]',
        'backends = ["openvino:precision=plan.json"]',
    ],
)
def test_a_plan_in_a_folder_with_a_comma_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a,b" / "sweep.toml"
    path.parent.mkdir()
    path.write_text(line)
    assert "has a comma, which parts the options of a backend: rename it" in refused(path)


def test_values_of_inputs_lie_beside_the_file(write: Write) -> None:
    text = """
        backends = ["torch"]
        variants = ["net.py:Spec(mel=batch,80,frames)"]
        [[matrix]]
        inputs = { mel = "mel.npy" }
        [[matrix]]
    """
    path = write(text)
    path.with_name("net.py").write_text(NETWORK)
    values = np.random.default_rng(0).standard_normal((1, 80, 5)).astype(np.float32)
    np.save(path.with_name("mel.npy"), values)
    told, plain = read(path)
    assert list(told.plan().inputs) == ["mel"] and not plain.plan().inputs
    assert np.array_equal(told.plan().inputs["mel"].values, values)
    for wrong, said in (
        (np.ones((1, 81, 5)), "input mel is (batch, 80, frames), mel.npy "),
        (np.full((1, 80, 5), np.nan), "mel.npy holds nan at [0, 0, 0]"),
    ):
        np.save(path.with_name("mel.npy"), wrong)
        assert said in refused(path)


# What is refused

VALUES = {
    "backends": ['"torch"', "[]", "[1]", '[""]', "true"],
    "variants": ['"mpd"', "[]", "[11]"],
    "batches": ["1", "[]", "[0]", "[-1]", "[1.0]", "[true]", '["1"]', "[[1]]"],
    "samples": ["8192", "[0]", "[]", "[1e4]"],
    "axes": ["[8192]", "{}", "{ samples = 8192 }", "{ samples = [0] }"],
    "inputs": ['"x.npy"', "{}", "{ mel = 1 }", "[1]"],
    "outputs": ['"fmaps"', "true", '["all"]', "[]"],
    "pair": ["1", "[]", '"true"', "[true, 1]"],
    "threads": ["0", "1025", "[1]", "true", "1.5"],
    "checkpoint": ["1", '""', '"\\u0000"'],
    "seed": ["0.5", '"0"', "true"],
    "wav": ["false", '""', '["x.wav"]'],
    "limit": ["0", "-1", "nan", "inf", '"1"', "true", "1" + "0" * 400],
    "rounds": ["0", "2.0", "true"],
    "precision": ['"int8"', "[]", "[1]", '[""]', "true"],
    "min_snr": ['"30"', "[30]", "true", "nan", "inf", "301"],
    "timeout": ["0", "inf", "86400"],
}


@pytest.mark.parametrize(("key", "value"), [(k, v) for k, each in VALUES.items() for v in each])
def test_a_wrong_value_is_told_with_its_line_and_what_is_allowed(
    write: Write, key: str, value: str
) -> None:
    path = write(f"# a comment\n\n{key} = {value}\n")
    told = refused(path)
    assert told.startswith(f"{path}, line 3: {key} = ")
    assert told.endswith(f": give {KEYS[key].allowed}")


def test_every_key_is_tried() -> None:
    assert VALUES.keys() == KEYS.keys()
    assert f"1 to {MOST_THREADS}" in KEYS["threads"].allowed


@pytest.mark.parametrize("line", ["batch = [1]", '"batch" = 1', "[batch]", "batch.x = 1"])
def test_an_unknown_key_is_told_with_its_line(write: Write, line: str) -> None:
    path = write(f'backends = ["torch"]\n{line}\n')
    told = refused(path)
    assert told.startswith(f"{path}, line 2: there is no key 'batch': choose from backends, ")
    assert told.endswith(", matrix")


def test_the_line_is_that_of_its_own_table(write: Write) -> None:
    path = write("batches = [1]\n\n[[matrix]]\nbatches = [2]\n[[ matrix ]]\nbatches = [0]\n")
    assert refused(path).startswith(f"{path}, line 6: batches = [0]: give ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            'backends = ["tensorflow"]',
            (", line 2: backends: no backend 'tensorflow': choose from",),
        ),
        ('backends = ["ort-cuda:x=1"]', ("ort-cuda has no option 'x'",)),
        ('backends = ["ort-cup"]', (", line 2: backends: ", "did you mean 'ort-cpu'?")),
        ('backends = ["ort-cpu:lowering=defualt"]', (", line 2: ", "did you mean 'default'?")),
        ('backends = ["ort-cpu:lowering=none.json"]', ("none.json: No such file",)),
        ('precision = ["bf61"]', ("did you mean 'bf16'?",)),
        ('precision = ["none.json"]', ("none.json: No such file",)),
        ('variants = ["mpd-4"]', (", line 2: variants: period 4", "2, 3, 5, 7, 11")),
        ('variants = ["gan"]', ("no network 'gan'", "mpd, msd")),
        ("samples = [5]", ("samples 5 is too small for mpd", "choose 6 to ")),
        ("axes = { samples = [5] }", ("samples 5 is too small for mpd", "choose 6 to ")),
        ("axes = { frames = [5] }", ("mpd has no axis 'frames': choose from batch, samples",)),
        ("axes = { samples = [9] }\nsamples = [9]", ("samples and samples in axes: give one",)),
        ("axes = { batch = [2] }\nbatches = [1]", ("batches and batch in axes: give one",)),
        ("[[matrix]]\n[[matrix]]\nsamples = [5]", (", matrix 2: samples 5 is",)),
        ("batches = [99999999]", ("mpd on 99999999 x 8192 samples needs at least",)),
        ('checkpoint = "do_1"', ("do_1 is no file", "do_*")),
        ('wav = "x.wav"', (": wav: ", "x.wav", "it is not a file")),
        ("matrix = 3", ("[[matrix]]",)),
        ("[matrix]\nbatches = [1]", ("[[matrix]]",)),
        ("matrix = [1]", ("[[matrix]]",)),
        ("batches = [1", ("is no TOML", "Unclosed array")),
        ("batches = [1]\nbatches = [2]\n", ("is no TOML", "line 3")),
        ("seed = " + "1" * 5000, ("is no TOML",)),
        ("seed = " + "[" * 5000, ("is no TOML",)),
    ],
)
def test_what_cannot_be_measured(write: Write, text: str, words: tuple[str, ...]) -> None:
    backend = "" if "backends" in text else 'backends = ["torch"]'
    told = refused(write(f"{backend}\n{text}"))
    assert all(word in told for word in words), told


def test_a_cell_that_is_there_twice(write: Write) -> None:
    text = 'backends = ["torch"]\nvariants = ["mpd"]\n[[matrix]]\n[[matrix]]\nbatches = [2, 1]\n'
    assert "torch on mpd, 1 x 8192 is there 2 times" in refused(write(text))
    assert len(read(write(f"{text}seed = 1"))) == 2, "other weights are another cell"


def test_waveforms_of_two_rates(tmp_path: Path, write: Write) -> None:
    soundfile.write(tmp_path / "x.wav", np.linspace(-0.5, 0.5, 3000, dtype=np.float32), 16000)
    text = 'backends = ["torch"]\n[[matrix]]\n[[matrix]]\nwav = "x.wav"'
    assert "waveforms at 16000 and 22050 Hz" in refused(write(text))


def test_a_file_that_cannot_be_read(tmp_path: Path, write: Write) -> None:
    assert "No such file" in refused(tmp_path / "none.toml")
    assert "directory" in refused(tmp_path)
    path = write("")
    path.write_bytes(b"seed = 1\n# \xe9t\xe9")
    assert f"cannot read {path} (it is no text in UTF-8 (line 2): save it as such)" in refused(path)


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_is_no_part_of_the_text(write: Write, coding: str) -> None:
    path = write("")
    path.write_bytes('backends = ["torch"]\r\nvariants = ["mpd"]\r\n'.encode(coding))
    (part,) = read(path)
    assert part.backends == ("torch",)


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_text_is_told_as_such(write: Write, coding: str) -> None:
    path = write("")
    path.write_bytes('backends = ["torch"]'.encode(coding))
    told = refused(path)
    assert f"text in {coding.upper().removesuffix('-LE').removesuffix('-BE')}" in told
    assert "save it as UTF-8" in told


# What is shown before it runs


def test_a_dry_run_has_a_line_for_each_cell_and_the_sum() -> None:
    told = lines(read(EXAMPLE))
    assert len(told) == 24 + 1
    first, pair, last = (told[number] for number in (0, 12, -1))
    assert first.split(maxsplit=1)[0] == "torch" and "mpd, 1 x 8192, outputs all" in first
    assert "mpd, 1 x 8192 real and generated, outputs scores" in pair
    # 2 s of warm-up, 3 s by one clock and 1 by the other; at most 10 s, 5 s and 5 / 3 s
    assert last == "24 cells, about 2 min to 7 min without exporting and preparing"


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("limit = 0.3", "1 cell, about 1 s to 1 s "),
        ("", "1 cell, about 6 s to 33 s "),
        ("timeout = 5", "1 cell, about 5 s to 5 s "),
        ("limit = 3600", "1 cell, about 6 s to 1 h 20 min "),
    ],
)
def test_the_duration_follows_the_limits(write: Write, text: str, duration: str) -> None:
    one = 'backends = ["torch"]\nvariants = ["mpd"]\ntimeout = 9000\n'
    one = one if "timeout" not in text else one.replace("timeout = 9000\n", "")
    assert lines(read(write(one + text)))[-1].startswith(duration)
