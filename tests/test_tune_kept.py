"""What was measured: found again by what it depends on, and by nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic_core import to_json

from bench.geometry import Geometry
from bench.hole import Skipped
from bench.records import GpuState
from bench.tune import kept
from bench.tune.forms import forms_of
from bench.tune.kept import IMPROVED, TRIALS, Kept
from bench.tuning_record import Step, Trial
from export import store
from fakes import fake_report, fake_trials

LAYER = Geometry((2, 8, 40), (8, 8), (5,), (2,), (1,), (2,), (2,), 2, 0.1)
HERE = replace(fake_report().machine, features=("avx2",), versions={"onnxruntime": "1", "a": "2"})
GPU = GpuState("A GPU", "9.0", "600", "13.0", 2**34, 0, 0, 0, (), 0.0, 0, False, False, 0)
FOUND = replace(
    fake_trials("a", "b", plain=0.5, wide="it failed | in words"),
    trials=(
        Trial("plain", 1, 2, (0.5, 0.25), float("inf")),
        Trial("wide", 1, 2, (), Skipped("ö")),
        Trial("rows", 1, 2, (0.25,), float("-inf")),
    ),
)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_trials_come_back_as_they_were() -> None:
    place = Kept(HERE, "ort-cpu", 2).trials(LAYER, forms_of(LAYER))
    assert kept.read(place, TRIALS) is None
    kept.write(place, FOUND)
    assert kept.read(place, TRIALS) == FOUND


def test_plans_come_back_as_they_were() -> None:
    place = Kept(HERE, "ort-cpu", 2).improved("mpd-11", 2, FOUND)
    steps = (Step("mpd-11", "", "winners", np.inf, kept=False), Step("m", "a", "wide", 0.5, True))
    kept.write(place, (steps, {"a": "wide"}))
    assert kept.read(place, IMPROVED) == (steps, {"a": "wide"})


def test_what_changes_no_time_changes_no_place() -> None:
    place = Kept(HERE, "ort-cpu", 2).trials(LAYER, forms_of(LAYER))
    later = replace(HERE, load=9.0, commit="another", versions={"a": "2", "onnxruntime": "1"})
    again = Geometry(*vars(LAYER).values())
    assert Kept(later, "ort-cpu", 2).trials(again, forms_of(again)) == place


def test_what_changes_times_changes_the_place() -> None:
    forms = forms_of(LAYER)
    other = replace(LAYER, shape=(4, 8, 40))
    machines = [
        replace(HERE, cpu="another"),
        replace(HERE, features=("avx2", "avx512f")),
        replace(HERE, versions={"onnxruntime": "2", "a": "2"}),
        replace(HERE, gpu=GPU),
        replace(HERE, gpu=replace(GPU, driver="601")),
    ]
    places = [
        Kept(HERE, "ort-cpu", 2).trials(LAYER, forms),
        Kept(HERE, "ort-cpu", 1).trials(LAYER, forms),
        Kept(HERE, "openvino", 2).trials(LAYER, forms),
        Kept(HERE, "openvino:precision=bf16", 2).trials(LAYER, forms),
        Kept(HERE, "ort-cpu", 2).trials(other, forms),
        Kept(HERE, "ort-cpu", 2).trials(LAYER, forms[1:]),
        Kept(HERE, "ort-cpu", 2).improved(LAYER, forms),
        *(Kept(machine, "ort-cpu", 2).trials(LAYER, forms) for machine in machines),
    ]
    assert len(set(places)) == len(places)


def test_changed_code_measures_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Kept(HERE, "ort-cpu", 2).trials(LAYER, ())
    real = store.source_digest
    monkeypatch.setattr(
        store, "source_digest", lambda *names: real(*names) + "x" * ("bench" in names)
    )
    assert Kept(HERE, "ort-cpu", 2).trials(LAYER, ()) != before


@pytest.mark.parametrize(
    "content",
    [b"", b"{", to_json(FOUND)[:-9], b"[]", b'{"names": ["a"]}', to_json(fake_report())],
    ids=["empty", "brace", "cut", "list", "other", "report"],
)
def test_what_is_damaged_is_not_there(content: bytes) -> None:
    place = Kept(HERE, "ort-cpu", 2).trials(LAYER, ())
    kept.write(place, FOUND)
    place.write_bytes(content)
    assert kept.read(place, TRIALS) is None
    kept.write(place, FOUND)
    assert kept.read(place, TRIALS) == FOUND


def test_the_cache_knows_it(own_folder: Path) -> None:
    place = Kept(HERE, "ort-cpu", 2).trials(LAYER, ())
    kept.write(place, FOUND)
    (entry,) = store.entries()
    assert (entry.kind, entry.files) == ("tuning", ("found.json",))
    assert store.remove(entry) and store.entries() == []
    assert kept.read(place, TRIALS) is None and own_folder.exists()
