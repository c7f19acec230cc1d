"""Files of schema 1, whose networks all took one waveform (N, 1, T), are read as of today."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from test_engine_file import MANIFEST

from bench import record_json
from export import artifact
from export.artifact import METADATA_KEY, SEAL_KEY, Artifact, Port
from export.cache import cached_export
from export.engine import file as engine_file
from export.request import ExportRequest
from export.runtimes import Verified
from fakes import WORKLOAD, fake_report, fake_result, fake_tuning
from hifigan_ref.errors import HifiError
from hifigan_ref.network import Sizes
from hifigan_ref.trained import Trained
from hifigan_ref.views import View

RESULTS = Path(__file__).parents[1] / "docs/results"
BOTH: tuple[View, ...] = ("scores", "pair")

Record = dict[str, Any]


def older(record: Record, outputs: str = "outputs") -> Record:
    """Sizes and views as schema 1 said them."""
    sizes, views = record.pop("sizes"), record.pop("views")
    record.pop("audio_seconds", None)
    lengths = {name: sizes.get(name) for name in ("batch", "samples")}
    choice = {outputs: "scores" if "scores" in views else "all", "pair": "pair" in views}
    return {**record, **lengths, **choice}


# ------------------------------------------------------------------------------------- manifests


@pytest.fixture(params=[{}, {"samples": 704}, {"batch": 3, "samples": 701}], ids=str)
def old(request: pytest.FixtureRequest, mpd_11: Trained, tmp_path: Path) -> Artifact:
    """A file of today whose manifests are of schema 1, and what is to be read from it."""
    sizes: Sizes = request.param
    asked = ExportRequest(mpd_11.variant, sizes=sizes, views=BOTH)
    made = cached_export(asked, mpd_11.origin, lambda _: mpd_11)
    proto = onnx.load(made.path)
    (entry,) = (each for each in proto.metadata_props if each.key == METADATA_KEY)
    (seal,) = (each for each in proto.metadata_props if each.key == SEAL_KEY)
    record = older(json.loads(entry.value), "output_choice")
    verified = [{"runtime": "onnxruntime", "version": "1", "min_samples": 6}]
    record |= {"schema": 1, "verified": verified, "min_samples": record.pop("smallest")["samples"]}
    entry.value = json.dumps(record)
    seal.value = hashlib.sha256(entry.value.encode()).hexdigest()
    path = tmp_path / "mpd-11.onnx"
    path.write_bytes(proto.SerializeToString(deterministic=True))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    beside = {"file": path.name, "sha256": sha256, **record}
    artifact.sidecar(path).write_text(json.dumps(beside))
    least = Verified("onnxruntime", "1", {"batch": 1, "samples": 6})
    return Artifact(path, sha256, replace(made.manifest, verified=(least,)))


def test_a_file_and_its_sidecar(old: Artifact) -> None:
    assert old.manifest.smallest == {"batch": 1, "samples": 6} and old.manifest.views == BOTH
    assert artifact.load(old.path) == old
    assert artifact.told(old.path) == artifact.kept(old.path) == old


@pytest.mark.parametrize("old", [{}], indirect=True, ids=str)
@pytest.mark.parametrize("change", [{"verified": None}, {"verified": [1]}, {"min_samples": "6 or"}])
def test_a_damaged_sidecar_tells_nothing(old: Artifact, change: Record) -> None:
    beside = artifact.sidecar(old.path)
    beside.write_text(json.dumps(json.loads(beside.read_text()) | change))
    assert artifact.told(old.path) is None


@pytest.mark.parametrize("views", [(), ("pair",), BOTH], ids=str)
def test_an_engine(views: tuple[View, ...], tmp_path: Path) -> None:
    more = () if "scores" in views else (Port("fmap_0", ("batch", 32, "frames", 11)),)
    manifest = replace(MANIFEST, views=views, outputs=(*MANIFEST.outputs, *more))
    saved = engine_file.save(tmp_path / "a.engine", manifest, b"an engine")
    beside = engine_file.sidecar(saved.path)
    record = json.loads(beside.read_text())
    record |= {"schema": 1, "pair": "pair" in record.pop("views")}
    record["min_samples"] = record.pop("smallest")["samples"]
    record["profile"] = {span["axis"]: span for span in record["profile"]["spans"]}
    beside.write_text(json.dumps(record))
    assert engine_file.load(saved.path) == saved
    beside.write_text(json.dumps(record | {"profile": None}))
    with pytest.raises(HifiError, match="is damaged: build the engine again"):
        engine_file.load(saved.path)


# --------------------------------------------------------------------------------------- records


def test_a_report(tmp_path: Path) -> None:
    loads = (WORKLOAD, replace(WORKLOAD, views=BOTH, audio_seconds=2.0))
    report = fake_report(*(fake_result(workload=load) for load in loads))
    record = json.loads(record_json.dump(report))
    for result in record["results"]:
        result["workload"] = older(result["workload"])
    path = tmp_path / "report.json"
    path.write_text(json.dumps(record | {"schema": 1}))
    assert record_json.report_at(path) == report


def test_a_search_for_forms(tmp_path: Path) -> None:
    record = older(json.loads(record_json.dump(fake_tuning())))
    for result in record["results"]:
        result["workload"] = older(result["workload"])
    path = tmp_path / "tune.json"
    path.write_text(json.dumps(record | {"schema": 1}))
    assert record_json.tuning_at(path) == fake_tuning()


def test_what_was_published() -> None:
    usual = {"batch": 2, "samples": 8192}
    report = record_json.report_at(RESULTS / "cpu/report.json")
    loads = {row.workload for row in report.results}
    assert usual in [load.sizes for load in loads] and {load.views for load in loads} == {()}
    for load in loads:
        assert load.audio_seconds == load.batch * load.sizes["samples"] / report.sample_rate
    for found in (
        record_json.mixing_at(RESULTS / "mixed/openvino-amx/mixed.json"),
        record_json.tuning_at(RESULTS / "tune/ort-cpu/tune.json"),
    ):
        assert (found.sizes, found.views) == (usual, ())
    (parity,) = record_json.parities_of((RESULTS / "tune/ort-cpu/mpd.parity.json").read_bytes())
    assert {"batch": 2, "samples": 1020} in [case.sizes for case in parity.cases]
