"""Values of inputs out of files: where they go, and what is refused in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import cli
from fakes import run_main
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.examples import example, source_of
from hifigan_ref.input_files import InputFile, check_files, read_files
from hifigan_ref.network import Axis, Port
from vocoder import vocoder

BATCH = Axis("batch", typical=2)
FRAMES = Axis("frames", typical=32)
LATENT = Port("z", (BATCH, 3, FRAMES))
SPEAKER = Port("g", (BATCH, 4, 1))
FIXED = Port("m", (5, FRAMES))


def held(*shape: int) -> InputFile:
    return InputFile("file", np.arange(np.prod(shape), dtype=np.float32).reshape(shape))


def saved(folder: Path, values: NDArray[np.generic]) -> Path:
    np.save(folder / "z.npy", values)
    return folder / "z.npy"


def test_of_its_own_shape_it_is_as_it_is_in_every_turn() -> None:
    file = held(2, 3, 7)
    for turn in range(3):
        assert np.array_equal(file.cut(LATENT, (2, 3, 7), turn), file.values)


def test_longer_ones_are_cut_one_after_the_other() -> None:
    file = held(1, 3, 10)
    first, second = file.cut(LATENT, (2, 3, 4), 0)
    assert np.array_equal(first, file.values[0, :, :4])
    assert np.array_equal(second, file.values[0, :, 4:8])
    (third, _) = file.cut(LATENT, (2, 3, 4), 1)
    assert np.array_equal(third, file.values[0][:, [8, 9, 0, 1]]), "it starts over at its end"


def test_shorter_ones_are_repeated_and_items_taken_in_turn() -> None:
    file = held(2, 3, 2)
    found = file.cut(LATENT, (3, 3, 5), 0)
    assert np.array_equal(found[0], file.values[0][:, [0, 1, 0, 1, 0]])
    assert np.array_equal(found[1], file.values[1][:, [0, 1, 0, 1, 0]])
    assert np.array_equal(found[2], file.values[0][:, [1, 0, 1, 0, 1]])
    speakers = held(3, 4, 1).cut(SPEAKER, (2, 4, 1), 1)
    assert np.array_equal(speakers, held(3, 4, 1).values[[2, 0]])


def test_an_input_without_a_batch() -> None:
    file = held(5, 8)
    assert np.array_equal(file.cut(FIXED, (5, 3), 0), file.values[:, :3])
    assert np.array_equal(file.cut(FIXED, (5, 3), 1), file.values[:, 3:6])


def test_it_is_what_the_input_gets_and_the_source_says_so(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((1, 3, 6))
    files = read_files([f"z={saved(tmp_path, values)}"])
    sizes = {"batch": 1, "frames": 6}
    found = example([LATENT, SPEAKER], sizes, audio.speech(), files=files)
    assert np.array_equal(found["z"], values.astype(np.float32))
    plain = example([LATENT, SPEAKER], sizes, audio.speech())
    assert np.array_equal(found["g"], plain["g"])
    told = source_of([LATENT, SPEAKER], audio.speech(), files)
    assert told.startswith("z: z.npy ") and told.endswith(", g: seeded noise")
    assert len(told.split(",")[0]) == len("z: z.npy ") + 8


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.full((1, 3, 4), np.nan), "holds nan at [0, 0, 0]: give values that are finite"),
        (np.full((1, 3, 4), 1e300), "holds 1e+300 at [0, 0, 0]"),
        (np.zeros((1, 3, 4), np.int64), "holds int64: give an array of floating-point values"),
        (np.zeros((1, 3, 0)), "holds 0 values in 3 axes: give more"),
        (np.array(1.0), "holds 1 values in 0 axes: give more"),
        (np.array([None]), "cannot be read (Object arrays cannot be loaded"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(
    tmp_path: Path, values: NDArray[np.generic], told: str
) -> None:
    path = saved(tmp_path, values)
    with pytest.raises(HifiError) as caught:
        read_files([f"z={path}"])
    assert str(caught.value).startswith(f"{path} {told}") and "\n" not in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npy").write_text("no array")
    for path in (tmp_path / "gone.npy", tmp_path / "text.npy"):
        with pytest.raises(HifiError, match="cannot be read .*: give an array that numpy.save"):
            read_files([f"z={path}"])
    with pytest.raises(HifiError, match="given twice: leave one out"):
        read_files([f"z={saved(tmp_path, np.ones((1, 2)))}"] * 2)


@pytest.mark.parametrize("shape", [(1, 4, 6), (1, 3), (1, 3, 6, 1)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(HifiError, match=r"input z is \(batch, 3, frames\), file holds .*: give"):
        check_files({"z": held(*shape)}, [LATENT])
    check_files({"z": held(9, 3, 1)}, [LATENT])


def test_an_unknown_input_is_refused() -> None:
    with pytest.raises(HifiError, match="no such input: choose from z, g"):
        check_files({"y": held(1)}, [LATENT, SPEAKER])


def test_commands_that_run_inputs_take_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    vocoder(tmp_path, "Speaker")
    np.save("g.npy", np.ones((1, 4, 1)))
    named = ("--network", "vocoder.py:Speaker", "--input", "g=g.npy")
    ran = run_main(cli.bench_main, "parity", *named, "--axis", "frames=3", "--out", "r")
    assert ran.code == 0, ran.err
    (report,) = json.loads(Path("r/parity.json").read_text())
    assert report["source"].startswith("mel: log-mel of clip, g: g.npy ")
    assert report["source"].endswith(", f0: seeded noise")
    np.save("g.npy", np.ones((1, 5, 1)))
    for command in (("parity",), ("--backend", "torch")):
        ran = run_main(cli.bench_main, *command, *named, "--out", "r")
        assert ran.code == 1 and ran.err.startswith("error: input g is (batch, 4, 1), g.npy")
    ran = run_main(cli.export_main, "onnx", *named, "--out", "o")
    assert ran.code == 1 and "leave it out" in ran.err and ran.err.count("\n") == 1


def test_a_measurement_runs_on_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    vocoder(tmp_path, "Speaker")
    np.save("g.npy", np.full((1, 4, 1), 0.5))
    given = ("--network", "vocoder.py:Speaker", "--input", "g=g.npy", "--axis", "frames=8")
    short = ("--backend", "ort-cpu", "--limit", "0.1", "--rounds", "1", "--threads", "1")
    ran = run_main(cli.bench_main, *given, *short, "--out", "r")
    assert ran.code == 0, ran.err
    (row,) = json.loads(Path("r/report.json").read_text())["results"]
    assert "g: g.npy " in row["workload"]["source"] and row["workload"]["makes_audio"]
    assert 0 < row["parity"]["outputs"][0]["log_mel"] < 1e-4
    assert row["workload"]["audio_seconds"] == pytest.approx(8 * 256 / 22050)
