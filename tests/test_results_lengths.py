"""The command that runs every graph and form at short lengths, and what it catches."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

from bench.geometry import Geometry
from bench.results import lengths, lengths_files, lengths_forms
from export.lowering.rules.fir import Fir
from export.runtimes import ONNXRUNTIME, RUNTIMES, Arrays, Run, Shapes
from hifigan_ref.variant import Variant

LAYER = Geometry((2, 8, 0), (8, 8), (5,), (1,), (1,), (2,), (2,), 1, 0.1)
P2 = Variant("mpd", "2")


@dataclass(frozen=True)
class WrongBehindFir:
    """A runtime that computes an input transform wrongly on a width of 8, from 3 samples."""

    name: str = "openvino"
    version: str = "0"
    fixes_shapes: bool = True

    def open(self, content: bytes, shapes: Shapes | None = None) -> Run:
        run = ONNXRUNTIME.open(content, shapes)

        def compute(inputs: Arrays) -> Arrays:
            (given,) = inputs.values()
            wrong = b"fir-4-5" in content and given.shape[-1] == 3
            return {name: array * np.float32(1 - wrong) for name, array in run(inputs).items()}

        return compute


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lengths_files, "lengths_of", lambda *_: (2, 3, 8, 163, 200))
    monkeypatch.setattr(lengths_files, "LONGEST", 200)
    monkeypatch.setattr(lengths_forms, "layers", lambda: [LAYER])
    monkeypatch.setattr(lengths_forms, "WIDTHS", (1, 3, 8))
    monkeypatch.setattr(lengths_forms, "FIXED_WIDTHS", (3,))


def run(*words: object) -> Any:
    app = Typer(add_completion=False)
    app.command()(lengths.main)
    return CliRunner().invoke(app, [*map(str, words)])


def test_it_writes_what_it_found(tmp_path: Path) -> None:
    done = run(tmp_path / "lengths", "--variant", "mpd-2")
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "lengths.json").read_text())
    rows = {(row["runtime"].split()[0], row["plan"], row["fixed"]) for row in record["rows"]}
    assert len(rows) == len(record["rows"]) == 8
    assert all(row["snr_db"] > 100 and row["variant"] == "mpd-2" for row in record["rows"])
    forms = {row["form"] for row in record["forms"]}
    assert forms >= {"plain", "wide", "longer", "block-16", "fir-4-5", "fir-4-5+wide"}
    page = (tmp_path / "lengths.md").read_text()
    assert page.count("| yes |") == len(record["rows"]) + len(record["forms"])
    assert " NO " not in page and page.strip() in done.output


def test_a_runtime_that_is_wrong_at_one_width_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RUNTIMES, "openvino", WrongBehindFir())
    done = run(tmp_path / "lengths", "--variant", "mpd-2", "--for", "openvino")
    assert done.exit_code == 3
    record = json.loads((tmp_path / "lengths.json").read_text())
    wrong = [row for row in record["forms"] if row["snr_db"] < 100]
    assert {row["form"] for row in wrong} == {"fir-4-5", "fir-4-5+wide"}
    assert {row["width"] for row in wrong} == {3}
    assert (tmp_path / "lengths.md").read_text().count("| NO |") == len(wrong)


def test_a_rule_that_is_wrong_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose products are a tap off."""
    products = Fir._products

    def off(self: Fir, conv: object, axis: int) -> object:
        left = products(self, conv, axis)  # type: ignore[arg-type]
        left.weight[:] = np.roll(left.weight, 1, axis=0)
        return left

    monkeypatch.setattr(Fir, "_products", off)
    done = run(tmp_path / "lengths", "--variant", "mpd-2", "--for", "openvino", "--no-forms")
    assert done.exit_code == 3
    wrong = [
        r for r in json.loads((tmp_path / "lengths.json").read_text())["rows"] if r["snr_db"] < 100
    ]
    assert {row["plan"] for row in wrong} == {"default"}


def test_a_backend_that_needs_a_gpu_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path / "lengths", "--for", "trt")
    assert "trt runs nothing on this CPU: choose from ort-cpu" in str(done.exception)


def test_lengths_meet_residues_and_widths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = lengths_files.lengths_of(P2)
    assert found[:39] == tuple(range(2, 41)) and found[-1] == 1300
    for period in (2, 3, 5, 7, 11):
        for least, most in ((2, 40), (150, 160), (700, 710)):
            here = {samples % period for samples in found if least <= samples <= most}
            assert here == set(range(period))
    assert {-(-samples // 162) for samples in found} == set(range(1, 10))


def test_layers_of_all_networks_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = lengths_forms.layers()
    assert len(set(found)) == len(found)
    assert {each.shape[3:] for each in found} == {(), (2,), (3,), (5,), (7,), (11,)}
    assert {max(each.kernel) for each in found} == {3, 5, 15, 41}
    assert {each.group for each in found} == {1, 4}
    assert all(max(each.channels) <= 256 for each in found)
