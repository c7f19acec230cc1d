"""What bad input gets: a line that says what is wrong and what to do, and no file left behind."""

import errno
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

import cli
from fakes import Ran, run_main
from hifigan_ref.rate import CLIP_RATE

export = partial(run_main, cli.export_main)
bench = partial(run_main, cli.bench_main)

Command = Callable[..., Ran]
both = pytest.mark.parametrize(
    "command", [partial(export, "onnx"), bench], ids=["hifi-export", "hifi-bench"]
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def assert_refused(ran: Ran, *words: str) -> None:
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err.endswith("\n") and len(ran.err.splitlines()) == 1, ran.err
    assert ran.err.startswith("error: ")
    for word in words:
        assert word in ran.err


BAD_VALUES = {
    "period": (("--period", 4), ("period 4", "2, 3, 5, 7, 11")),
    "second period": (("--period", 2, "--period", 4), ("period 4",)),
    "scale": (("--scale", 3), ("scale 3", "0, 1, 2")),
    "negative scale": (("--scale", -1), ("scale -1", "0, 1, 2")),
    "too short": (("--period", 11, "--samples", 5), ("samples 5", "mpd-11", "choose 6 to")),
    "too short for one of them": (("--model", "all", "--samples", 5), ("choose 6 to",)),
    "no samples": (("--period", 2, "--samples", 0), ("samples 0", "choose 2 to")),
    "negative samples": (("--period", 2, "--samples", -8192), ("samples -8192",)),
    "no batch": (("--period", 11, "--batch", 0), ("batch 0", "choose 1 to")),
    "negative batch": (("--period", 11, "--batch", -2), ("batch -2", "choose 1 to")),
}


@both
@pytest.mark.parametrize("case", BAD_VALUES)
def test_a_value_out_of_range(command: Command, case: str, folder: Path) -> None:
    arguments, words = BAD_VALUES[case]
    assert_refused(command(*arguments), *words)
    assert files(folder) == set()


@pytest.mark.parametrize("opset", [-1, 10, 27])
def test_an_opset_out_of_range(folder: Path, opset: int) -> None:
    assert_refused(export("onnx", "--period", 2, "--opset", opset), f"opset {opset}", "11 to 26")
    assert files(folder) == set()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--threads", 0), ("0 threads", "1 to 1024")),
        (("--threads", 99999999999), ("99999999999 threads", "1 to 1024")),
        (("--threads", -1), ("-1 threads",)),
        (("--limit", 0), ("limit", "more than 0")),
        (("--limit", -1), ("limit", "more than 0")),
        *(
            ((name, value), (name[2:], "more than 0 and at most 1000000"))
            for name in ("--limit", "--timeout")
            for value in ("nan", "inf", "-inf", "1e308")
        ),
        *((("--min-snr", value), (f"{value} dB",)) for value in ("nan", "inf", "-inf")),
        (("--rounds", 10**30), ("rounds", "1 to 100")),
        (("--batch", 10**30), ("batch", "choose 1 to 268435456")),
        (("--samples", 10**30), ("samples", "to 268435456")),
    ],
)
def test_a_bench_option_out_of_range(
    folder: Path, option: tuple[str, object], words: tuple[str, ...]
) -> None:
    assert_refused(bench(*option), *words)
    assert files(folder) == set()


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_least_snr_that_everything_or_nothing_reaches(folder: Path, value: str) -> None:
    for command in (bench, export):
        first = "parity" if command is bench else "onnx"
        assert_refused(command(first, "--period", 11, "--min-snr", value), f"{value} dB")
    assert files(folder) == set()


@both
def test_a_folder_below_a_file(command: Command, folder: Path) -> None:
    (folder / "file").touch()
    ran = command("--period", 2, "--out", "file/deep/er")
    assert_refused(ran, "cannot write", "file", "--out")
    assert files(folder) == {"file"}


def test_one_file_for_several_graphs(folder: Path) -> None:
    assert_refused(export("onnx", "--out", "one.onnx"), "one.onnx", "10 graphs", "folder")
    assert_refused(export("onnx", "--period", 2, "--scale", 0, "--out", "one.onnx"), "2 graphs")
    assert_refused(export("onnx", "--out", "ONE.ONNX"), "ONE.ONNX", "10 graphs")
    assert files(folder) == set()


@both
@pytest.mark.parametrize(
    "weights", [("--seed", 1, "--checkpoint", "do_1"), ("--checkpoint", "do_1", "--seed", 0)]
)
def test_a_checkpoint_and_a_seed(
    command: Command, weights: tuple[object, ...], folder: Path
) -> None:
    assert_refused(command("--period", 2, *weights), "--checkpoint and --seed", "one of the two")
    assert files(folder) == set()


@pytest.mark.parametrize("command", [("sweep", "x.toml"), ("list",), ("parity", "--period", 2)])
def test_an_option_before_a_command_that_would_ignore_it(
    command: tuple[object, ...], folder: Path
) -> None:
    ran = bench("--limit", 2, "--resume", *command)
    assert_refused(ran, "--limit, --resume before", f"what {command[0]} takes behind it")
    assert files(folder) == set()


@pytest.mark.parametrize("calls", [1, 2], ids=["the graph", "the manifest"])
def test_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    written = iter(range(1, 100))

    def fill_up(handle: int) -> None:
        if next(written) == calls:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), handle)

    monkeypatch.setattr(os, "fsync", fill_up)
    ran = export("onnx", "--period", 2, "--out", "out")
    assert_refused(ran, "cannot write", "No space left", "free some space")
    assert files(folder) == set()


def test_a_refused_export_leaves_the_old_file(folder: Path) -> None:
    for name in ("mpd-11.onnx", "mpd-11.json"):
        (folder / name).write_text("old")
    assert export("onnx", "--period", 11, "--opset", 27, "--out", ".").code == 1
    assert {(folder / name).read_text() for name in files(folder)} == {"old"}


class Bomb:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("exploded",)


WEIGHT, BIAS = "discriminators.0.convs.0.weight", "discriminators.0.convs.0.bias"
FIRST = {WEIGHT: torch.ones(32, 1, 5, 1), BIAS: torch.ones(32)}
BAD_CHECKPOINTS: dict[str, tuple[object, tuple[str, ...]]] = {
    "a generator": ({"generator": {}}, ("generator", "do_*")),
    "something else": ({"model": {}, "epoch": 3}, ("epoch, model", "do_*")),
    "a tensor": (torch.ones(3), ("Tensor", "do_*")),
    "code": ({"mpd": Bomb()}, ("mkdir", "never run")),
    "no state": ({"mpd": [1, 2]}, ("mpd", "state dict")),
    "no keys": ({"mpd": {}}, ("missing discriminators.0.convs.0.bias", "more")),
    "another shape": (
        {"mpd": {**FIRST, WEIGHT: torch.ones(32, 1, 5)}},
        (f"{WEIGHT} has shape (32, 1, 5), expected (32, 1, 5, 1)",),
    ),
    "an extra key": (
        {"mpd": {**FIRST, "discriminators.0.convs.0.scale": torch.ones(1)}},
        ("extra discriminators.0.convs.0.scale",),
    ),
    "NaN": ({"mpd": {**FIRST, WEIGHT: FIRST[WEIGHT] * torch.nan}}, (f"{WEIGHT} holds NaN",)),
    "Inf": ({"mpd": {**FIRST, BIAS: FIRST[BIAS] * torch.inf}}, (f"{BIAS} holds NaN or Inf",)),
}


@both
@pytest.mark.parametrize("case", BAD_CHECKPOINTS)
def test_a_bad_checkpoint(command: Command, case: str, folder: Path) -> None:
    content, words = BAD_CHECKPOINTS[case]
    torch.save(content, folder / "do_1")
    ran = command("--period", 2, "--checkpoint", "do_1")
    assert_refused(ran, "do_1", *words)
    assert sum(ran.err.count(kind) for kind in ("missing ", "extra ", "holds NaN")) <= 5
    assert files(folder) == {"do_1"}
    assert not (folder / "exploded").exists()


@both
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_truncated_checkpoint(command: Command, legacy: bool, folder: Path) -> None:
    path = folder / "do_1"
    torch.save({"mpd": FIRST}, path, _use_new_zipfile_serialization=not legacy)
    path.write_bytes(path.read_bytes()[:-200])
    assert_refused(command("--checkpoint", path), str(path))
    path.write_bytes(b"")
    assert_refused(command("--checkpoint", path), str(path))
    assert files(folder) == {"do_1"}


@both
def test_a_missing_checkpoint(command: Command, folder: Path) -> None:
    assert_refused(command("--checkpoint", "do_2"), "do_2", "not a file")
    assert_refused(command("--checkpoint", "."), "not a file")
    assert files(folder) == set()


def test_a_checkpoint_without_the_family(folder: Path) -> None:
    torch.save({"msd": {}}, folder / "do_1")
    assert_refused(export("onnx", "--period", 2, "--checkpoint", "do_1"), "do_1", "msd")


BAD_WAVES: dict[str, tuple[NDArray[np.float32] | bytes | None, tuple[str, ...]]] = {
    "missing": (None, ("x.wav", "cannot ")),
    "text": (b"no audio at all", ("x.wav", "cannot be read")),
    "no bytes": (b"", ("x.wav", "cannot be read")),
    "empty": (np.zeros((0, 1), np.float32), ("x.wav", "no samples")),
    "stereo": (np.ones((100, 2), np.float32), ("x.wav", "2 channels", "mix it down")),
    "silent": (np.zeros((100, 1), np.float32), ("x.wav", "silent")),
    "NaN": (np.full((100, 1), np.nan, np.float32), ("x.wav", "NaN")),
    "integers": (np.full((100, 1), 26214, np.float32), ("x.wav", "26214", "+-1", "32768")),
    "a constant": (np.full((100, 1), 0.5, np.float32), ("x.wav", "constant 0.5")),
    "denormal": (np.eye(100, 1, dtype=np.float32) * 1e-40, ("x.wav", "varies", "sox --norm")),
}
SMALL = ("--period", 11, "--samples", 2048, "--limit", 0.1, "--rounds", 1)
DOORS: dict[str, tuple[Command, tuple[object, ...]]] = {
    "hifi-bench": (bench, (*SMALL, "--backend", "ort-cpu", "--wav")),
    "parity": (bench, ("parity", "--period", 11, "--samples", 2048, "--wav")),
    "hifi-export": (export, ("onnx", "--period", 11, "--precision", "int8", "--calibration")),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("case", BAD_WAVES)
def test_a_bad_wav(folder: Path, case: str, door: str) -> None:
    content, words = BAD_WAVES[case]
    path = folder / "x.wav"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        soundfile.write(path, content, CLIP_RATE, subtype="FLOAT")
    before = files(folder)
    command, arguments = DOORS[door]
    assert_refused(command(*arguments, path), *words)
    assert files(folder) == before


@pytest.mark.parametrize("name", ["nothing.onnx", "."])
def test_inspecting_nothing(name: str) -> None:
    assert_refused(export("inspect", name))


def test_reporting_nothing(folder: Path) -> None:
    assert_refused(bench("report", "nowhere"), "nowhere", "--out")
    (folder / "report.json").write_text('{"schema": 1')
    assert_refused(bench("report", "."), "report.json", "run it again")
    assert files(folder) == {"report.json"}


def test_inspecting_a_truncated_graph(folder: Path) -> None:
    export("onnx", "--period", 2)
    path = folder / "artifacts/mpd-2.onnx"
    path.write_bytes(path.read_bytes()[:-1000])
    assert_refused(export("inspect", path), str(path), "truncated")
