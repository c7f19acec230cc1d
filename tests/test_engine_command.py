"""``hifi-export trt`` and ``hifi-export cache`` as a user types them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli import export_main
from export import store
from export.engine import file as engine_file
from fakes import Ran, run_main

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with p11 as ONNX and engine, and a cache beside it that holds both."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture(autouse=True)
def own_cache(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(made / "cache"))


@pytest.fixture(scope="module")
def first(made: Path) -> Ran:
    before = os.environ.get(store.FOLDER_VARIABLE)
    os.environ[store.FOLDER_VARIABLE] = str(made / "cache")
    try:
        return run_main(export_main, "trt", "--period", 11, "--out", made / "out")
    finally:
        if before is None:
            del os.environ[store.FOLDER_VARIABLE]
        else:
            os.environ[store.FOLDER_VARIABLE] = before


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


FILES = ["mpd-11.engine", "mpd-11.engine.json", "mpd-11.json", "mpd-11.onnx"]


def test_an_engine_lies_beside_its_onnx_file(first: Ran, made: Path) -> None:
    assert first.code == 0 and first.err == ""
    (line,) = first.out.splitlines()
    assert line.startswith(f"{made / 'out' / 'mpd-11.engine'}  TensorRT")
    assert "batch 1 to 32, samples 2048 to 220500" in line
    assert listed(made / "out") == FILES
    engine = engine_file.load(made / "out" / "mpd-11.engine")
    assert engine.manifest.onnx == "mpd-11.onnx"


def test_an_engine_of_the_default_plan(tmp_path: Path) -> None:
    ran = run_main(export_main, "trt", "--scale", 2, "--lowering", "default", "--out", tmp_path)
    assert ran.code == 0 and ran.err == ""
    told = json.loads((tmp_path / "msd-2.json").read_text())["lowering"]
    assert told["layers"]["msd_2.convs.1"] == "wide"
    assert engine_file.load(tmp_path / "msd-2.engine").manifest.onnx == "msd-2.onnx"


def test_a_second_run_changes_nothing(first: Ran, made: Path) -> None:
    paths = [made / "out" / name for name in FILES]
    before = [path.stat().st_mtime_ns for path in paths]
    again = run_main(export_main, "trt", "--period", 11, "--out", made / "out")
    assert (again.code, again.out) == (0, first.out)
    assert [path.stat().st_mtime_ns for path in paths] == before


def test_a_hit_needs_no_pytorch(first: Ran, made: Path) -> None:
    assert first.code == 0
    code = (
        "import sys; from cli import export_main\n"
        f"sys.argv = ['hifi-export', 'trt', '--period', '11', '--out', {str(made / 'out')!r}]\n"
        "try: export_main()\n"
        "except SystemExit as end: assert not end.code\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_file_of_ours_gets_its_engine_beside_it(first: Ran, made: Path, tmp_path: Path) -> None:
    assert first.code == 0
    path = tmp_path / "mine.onnx"
    for suffix in (".onnx", ".json"):
        shutil.copy(made / "out" / f"mpd-11{suffix}", path.with_suffix(suffix))
    told = run_main(export_main, "trt", path, "--max-batch", 4, "--json")
    assert told.code == 0 and told.err == ""
    record = json.loads(told.out)
    assert record["profile"]["spans"][0] == {"axis": "batch", "least": 1, "best": 4, "most": 4}
    assert record == json.loads((tmp_path / "mine.engine.json").read_text())
    assert record["rebuild"].startswith("hifi-export trt mine.onnx --runtime rtx")
    assert (tmp_path / "mine.engine").stat().st_size == record["bytes"]


def test_the_command_in_the_manifest_builds_the_same(
    first: Ran, made: Path, tmp_path: Path
) -> None:
    """A user pastes it in the folder of the file."""
    assert first.code == 0
    shutil.copy(made / "out" / "mpd-11.onnx", tmp_path)
    record = json.loads((made / "out" / "mpd-11.engine.json").read_text())
    program, *words = record["rebuild"].split()
    assert program == "hifi-export"
    words[1] = str(tmp_path / words[1])
    assert run_main(export_main, *words).code == 0
    again = json.loads((tmp_path / "mpd-11.engine.json").read_text())
    assert again == record


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--period", 4), "period 4"),
        (("--period", 11, "--min-batch", 4, "--max-batch", 2), "give min <= opt <= max"),
        (("--period", 11, "--min-samples", 5), "choose 6 or more"),
        (("--period", 11, "--batch", 2, "--max-batch", 4), "fixed to 2"),
        (("--period", 11, "--target", "sm90"), "--target sm90: TensorRT for RTX"),
        (("--period", 11, "--target", "hopper"), "choose from these"),
        (("--period", 11, "--version-compatible"), "--version-compatible: TensorRT for RTX"),
        (("--period", 11, "--hardware-compatible"), "--hardware-compatible: TensorRT for RTX"),
        (("--period", 11, "--timing-cache", "t"), "--timing-cache: TensorRT for RTX"),
        (("--period", 11, "--runtime", "tensorrt"), "pip install tensorrt"),
        (("--period", 11, "--workspace", 0), "--workspace 0 is out of range"),
        (("--period", 11, "--opt-level", 9), "choose 0 to 5"),
        (("--period", 11, "--max-samples", 3 * 10**9), "choose 268435456 or less"),
        (("--period", 11, "--max-batch", 5 * 10**9), "choose 268435456 or less"),
        (("--period", 11, "--workspace", 2**44), "give MiB, 1 to 1073741824"),
        (("--period", 11, "--opset", 10), "opset 10 is out of range"),
        (("nothing.onnx",), "cannot read nothing.onnx"),
        (("nothing.onnx", "--period", 11), "nothing.onnx and --period: give one of the two"),
        (("nothing.onnx", "--out", "o", "--opset", 11), "and --opset, --out: give one of the two"),
        (("nothing.onnx", "--lowering", "none"), "nothing.onnx and --lowering: give one of"),
        (("--period", 11, "--lowering", "fast.json"), "cannot read the lowering plan fast.json"),
        (("nothing.onnx", "--seed", 0), "nothing.onnx and --seed: give one of the two"),
    ],
    ids=str,
)
def test_bad_input_is_one_line_and_leaves_no_engine(
    arguments: tuple[object, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run_main(export_main, "trt", *arguments)
    assert ran.code == 1 and ran.out == ""
    assert ran.err.startswith("error: ") and ran.err.count("\n") == 1
    assert told in ran.err
    assert not list(tmp_path.iterdir())


def test_a_changed_file_is_refused(first: Ran, made: Path, tmp_path: Path) -> None:
    assert first.code == 0
    content = bytearray((made / "out" / "mpd-11.onnx").read_bytes())
    content[1_000_000] ^= 1
    path = tmp_path / "mpd-11.onnx"
    path.write_bytes(content)
    ran = run_main(export_main, "trt", path)
    assert ran.code == 1 and "was changed after it was exported (digest)" in ran.err
    assert listed(tmp_path) == ["mpd-11.onnx"]


def test_a_file_that_computes_nothing_is_refused(tmp_path: Path) -> None:
    from onnx import helper

    path = tmp_path / "other.onnx"
    path.write_bytes(helper.make_model(helper.make_graph([], "g", [], [])).SerializeToString())
    ran = run_main(export_main, "trt", path)
    assert ran.code == 1 and "has no inputs or no outputs" in ran.err


def test_a_file_with_activations_that_tensorrt_lacks_is_refused(tmp_path: Path) -> None:
    given = ("--precision", "int8", "--for", "openvino", "--min-snr", 5)
    assert run_main(export_main, "onnx", "--period", 2, *given, "--out", tmp_path).code == 0
    ran = run_main(export_main, "trt", tmp_path / "mpd-2.onnx")
    assert ran.code == 1 and "has uint8 activations" in ran.err
    assert ran.err.endswith("export it again without --for\n")
    assert listed(tmp_path) == ["mpd-2.json", "mpd-2.onnx"]


def test_a_folder_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = run_main(export_main, "trt", "--period", 11, "--out", tmp_path / "file" / "below")
    assert ran.code == 1 and "choose another --out" in ran.err


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill"])
def test_an_interrupted_build_leaves_no_engine(
    first: Ran, made: Path, tmp_path: Path, kind: signal.Signals
) -> None:
    assert first.code == 0
    environment = os.environ | {store.FOLDER_VARIABLE: str(tmp_path / "cache")}
    code = (
        "import sys; from export.engine import progress; from cli import export_main\n"
        "class Telling(progress.BuildProgress):\n"
        "    def step(self, phase, index):\n"
        "        print('building', flush=True); import time; time.sleep(0.05)\n"
        "progress.BuildProgress = Telling\n"
        f"file = {str(made / 'out' / 'mpd-11.onnx')!r}\n"
        "sys.argv = ['hifi-export', 'trt', file, '--opt-level', '2']\n"
        "export_main()"
    )
    before = {path: path.stat().st_mtime_ns for path in (made / "out").iterdir()}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "building\n"
        process.send_signal(kind)
        started = time.monotonic()
        _, told = process.communicate(timeout=60)
    assert process.returncode not in (0, None)
    assert time.monotonic() - started < 20
    assert "Traceback" not in told
    assert {path: path.stat().st_mtime_ns for path in (made / "out").iterdir()} == before
    assert not list((tmp_path / "cache").rglob("*.engine*"))


def test_the_cache_is_listed_and_cleared(first: Ran, made: Path) -> None:
    assert first.code == 0
    told = run_main(export_main, "cache", "list")
    lines = told.out.splitlines()
    assert told.code == 0
    assert any(line.startswith("onnx ") and "mpd-11.onnx" in line for line in lines)
    assert any(line.startswith("engine ") and "mpd-11.engine" in line for line in lines)
    assert str(made / "cache") in lines[-1]
    cleared = run_main(export_main, "cache", "clear")
    assert cleared.code == 0 and "entries removed" in cleared.out
    empty = run_main(export_main, "cache", "list")
    assert empty.out.startswith("0 entries, 0 MB in ")
    assert run_main(export_main, "cache", "clear").out.startswith("0 of 0 entries removed")
