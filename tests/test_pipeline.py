"""From a trained network to a file: whole, or nothing at all; and the network stays as it was."""

import errno
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
import torch
from torch import nn

import golden
from export import artifact
from export.contract import ContractError
from export.lengths import usual_sizes
from export.pipeline import Exported, export_onnx
from export.precision import narrow
from export.precision.plan import FP32, PrecisionPlan
from export.request import ExportRequest
from export.verify import snr_db
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.norms import norm_of, set_norm
from hifigan_ref.trained import Trained, convolutions, finish, state_digest
from hifigan_ref.variant import Variant

ROOT = Path(__file__).parents[1]
P11 = Variant("mpd", "11")
REQUEST = ExportRequest(P11)


@pytest.fixture(scope="module")
def exported(mpd_11: Trained, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export_onnx(REQUEST, mpd_11, tmp_path_factory.mktemp("out") / "mpd-11.onnx")


@pytest.fixture
def untouched(tmp_path: Path) -> Iterator[Path]:
    """A path for a file, in a folder that must be empty afterwards."""
    yield tmp_path / "mpd-11.onnx"
    assert [*tmp_path.iterdir()] == []


# ------------------------------------------------------------------------------------ a good one


def test_a_file_and_its_manifest(exported: Exported) -> None:
    folder = exported.artifact.path.parent
    assert {path.name for path in folder.iterdir()} == {"mpd-11.onnx", "mpd-11.json"}
    assert artifact.load(exported.artifact.path) == exported.artifact
    content = exported.artifact.path.read_bytes()
    assert exported.artifact.sha256 == hashlib.sha256(content).hexdigest()
    onnx.checker.check_model(content, full_check=True)


def test_it_says_how_well_it_was_made(exported: Exported) -> None:
    folding = exported.folding
    assert (folding.weight_norm, folding.spectral_norm, folding.plain) == (6, 0, 0)
    assert 0 < folding.max_relative_error < 1e-6
    assert 100 < exported.verification.snr_db < 200
    assert exported.verification.sizes in usual_sizes(REQUEST, promised=False)
    assert exported.verification.output in {"score", *(f"fmap_{i}" for i in range(6))}


def test_the_file_computes_the_network_as_trained(exported: Exported, mpd_11: Trained) -> None:
    y = audio.clip().batch(2, 8192)
    session = ort.InferenceSession(exported.artifact.path, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        [(score, fmaps)] = mpd_11.module.judge(torch.from_numpy(y))  # type: ignore[operator]
    for found, expected in zip(session.run(None, {"y": y}), [score, *fmaps], strict=True):
        assert snr_db(expected.numpy(), found) > 100


def test_the_trained_network_stays_as_it_was(mpd_11: Trained, tmp_path: Path) -> None:
    y = torch.from_numpy(audio.clip().batch(1, 8192))
    with torch.no_grad():
        before = mpd_11.module.judge(y)[0][0]  # type: ignore[operator]
    keys = list(mpd_11.module.state_dict())
    export_onnx(REQUEST, mpd_11, tmp_path / "a.onnx")
    export_onnx(REQUEST, mpd_11, tmp_path / "b.onnx")
    assert state_digest(mpd_11.module) == mpd_11.digest
    assert list(mpd_11.module.state_dict()) == keys
    assert {norm_of(conv) for conv in convolutions(mpd_11.module).values()} == {"weight_norm"}
    with torch.no_grad():
        assert torch.equal(mpd_11.module.judge(y)[0][0], before)  # type: ignore[operator]
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_another_process_writes_the_same_bytes(exported: Exported, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hifigan_ref.seeded import Seeded; "
        "from hifigan_ref.variant import Variant; from export.request import ExportRequest; "
        "from export.pipeline import export_onnx; v = Variant('mpd', '11'); "
        "export_onnx(ExportRequest(v), Seeded(0).build(v), Path(sys.argv[1]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    path = tmp_path / "mpd-11.onnx"
    subprocess.run([sys.executable, "-c", code, path], check=True, cwd=tmp_path, env=environment)
    for made, again in (
        (exported.artifact.path, path),
        (artifact.sidecar(exported.artifact.path), artifact.sidecar(path)),
    ):
        assert made.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("name", ["mpd", "msd"])
def test_a_fixed_length_of_an_ensemble(
    mpd: Trained, msd: Trained, tmp_path: Path, name: str
) -> None:
    """8192 samples, the length of training: periods 5 and 11 are padded by the same amount."""
    trained = {"mpd": mpd, "msd": msd}[name]
    request = ExportRequest(
        trained.variant, sizes={"batch": 1, "samples": 8192}, views=("scores", "pair")
    )
    made = export_onnx(request, trained, tmp_path / f"{name}.onnx")
    assert made.verification.sizes == request.sizes
    assert made.verification.snr_db > 100
    assert made.artifact.manifest.inputs == (
        artifact.Port("y", (1, 1, 8192)),
        artifact.Port("y_hat", (1, 1, 8192)),
    )


def test_weights_without_norms_are_exported_too(mpd_11: Trained, tmp_path: Path) -> None:
    module = P11.network.build(P11.members())
    for conv in convolutions(module).values():
        set_norm(conv, "none")
    folded = golden.fold({key: x.numpy() for key, x in mpd_11.module.state_dict().items()})
    module.load_state_dict({key: torch.from_numpy(array) for key, array in folded.items()})
    made = export_onnx(REQUEST, finish(P11, module, "folded"), tmp_path / "mpd-11.onnx")
    assert (made.folding.weight_norm, made.folding.plain) == (0, 6)
    assert made.folding.max_relative_error == 0
    assert made.verification.snr_db > 100


# ------------------------------------------------------------------------------- nothing at all


def test_a_layer_that_cannot_be_folded_is_named_as_in_the_checkpoint(tmp_path: Path) -> None:
    module = P11.network.build(P11.members())
    module.state_dict()["discriminators.0.convs.2.parametrizations.weight.original1"][3] = 0
    with pytest.raises(HifiError, match=r"mpd's discriminators\.4\.convs\.2 divides"):
        export_onnx(REQUEST, finish(P11, module, "do_1"), tmp_path / "mpd-11.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "place",
    [
        "export.fold.fold",
        "export.to_onnx.to_onnx",
        "export.contract.check_graph",
        "export.artifact.seal",
        "export.verify.verify",
        "export.artifact.save",
    ],
)
@pytest.mark.parametrize("error", [HifiError, ContractError, ValueError, KeyboardInterrupt])
def test_a_failure_in_any_step_writes_nothing(
    mpd_11: Trained,
    untouched: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    error: type[BaseException],
) -> None:
    def fail(*_: object) -> None:
        raise error("stop")

    monkeypatch.setattr(place, fail)
    with pytest.raises(error, match="stop"):
        export_onnx(REQUEST, mpd_11, untouched)


def test_what_cannot_be_verified_here_is_refused_before_any_work(
    mpd_11: Trained, untouched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("export.memory.usable_bytes", lambda: 4 * 10**8)
    monkeypatch.setattr("export.fold.fold", fail)
    with pytest.raises(HifiError, match="mpd-11 on .* needs at least 0.5 GB to be checked"):
        export_onnx(REQUEST, mpd_11, untouched)


def test_a_broken_contract_writes_nothing(
    mpd_11: Trained, untouched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The contract's own word, on a graph of another request."""
    from export import to_onnx

    other = ExportRequest(P11, opset=17)
    real = to_onnx.to_onnx
    monkeypatch.setattr(to_onnx, "to_onnx", lambda network, _: real(network, other))
    with pytest.raises(ContractError, match="opset is 17, expected 18"):
        export_onnx(REQUEST, mpd_11, untouched)


def test_wrong_numbers_write_nothing(
    mpd_11: Trained, untouched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verification's own word, on a graph that keeps the contract: one weight is another."""
    from export import to_onnx

    real = to_onnx.to_onnx

    def wrong(network: nn.Module, request: ExportRequest) -> object:
        import onnx_ir as ir

        model = real(network, request)
        value = model.graph.initializers["convs.1.weight"]
        assert value.const_value is not None
        value.const_value = ir.tensor(value.const_value.numpy() * 1.5, name=value.name)
        return model

    monkeypatch.setattr(to_onnx, "to_onnx", wrong)
    with pytest.raises(HifiError, match="computes something else than PyTorch"):
        export_onnx(REQUEST, mpd_11, untouched)


@pytest.mark.parametrize("failing", [1, 2], ids=["file", "sidecar"])
def test_a_full_disk_writes_nothing(
    mpd_11: Trained, untouched: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    calls = []

    def fail(handle: int) -> None:
        calls.append(handle)
        if len(calls) == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(HifiError, match="No space left on device"):
        export_onnx(REQUEST, mpd_11, untouched)


def test_an_old_file_survives_a_failure(
    mpd_11: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mpd-11.onnx"
    path.write_bytes(b"old")
    artifact.sidecar(path).write_bytes(b"old too")

    def fail(*_: object) -> None:
        raise HifiError("stop")

    monkeypatch.setattr("export.verify.verify", fail)
    with pytest.raises(HifiError, match="stop"):
        export_onnx(REQUEST, mpd_11, path)
    assert path.read_bytes() == b"old"
    assert artifact.sidecar(path).read_bytes() == b"old too"
    assert len([*tmp_path.iterdir()]) == 2


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(
    mpd_11: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "regular").write_bytes(b"x")
    monkeypatch.setattr("copy.deepcopy", lambda _: pytest.fail("work was done"))
    with pytest.raises(HifiError, match="choose another --out") as caught:
        export_onnx(REQUEST, mpd_11, tmp_path / "regular" / "mpd-11.onnx")
    assert "\n" not in str(caught.value)


def test_a_spectral_norm_that_was_never_iterated_is_not_exported(
    msd_0: Trained, tmp_path: Path
) -> None:
    import copy

    module = copy.deepcopy(msd_0.module)
    conv = convolutions(module)["discriminators.0.convs.3"]
    for name in ("_u", "_v"):
        vector = conv.state_dict()[f"parametrizations.weight.0.{name}"]
        noise = torch.randn(vector.shape, generator=torch.Generator().manual_seed(0))
        vector.copy_(nn.functional.normalize(noise, dim=0))
    trained = finish(msd_0.variant, module, "do_00000000")
    with pytest.raises(HifiError, match=r"discriminators\.0\.convs\.3 was never iterated"):
        export_onnx(ExportRequest(msd_0.variant), trained, tmp_path / "msd-0.onnx")
    assert [*tmp_path.iterdir()] == []


# -------------------------------------------------------------------------------- in less precision

HALF = replace(REQUEST, precision=PrecisionPlan("fp16"))


def test_precision_travels_in_the_manifest(mpd_11: Trained, tmp_path: Path) -> None:
    plan = PrecisionPlan("bf16", {"mpd_11.convs.4": "fp32"}, "by hand")
    request = replace(REQUEST, opset=22, precision=plan, min_snr_db=30.0)
    made = export_onnx(request, mpd_11, tmp_path / "p11.onnx")
    assert made.verification.promised_db == 30 <= made.verification.snr_db < 60
    for found in (artifact.load(made.artifact.path), artifact.told(made.artifact.path)):
        assert found == made.artifact
    assert made.artifact.manifest.precision == plan and made.artifact.manifest.budget_db == 30


def test_a_file_of_before_there_was_precision_is_read(exported: Exported, tmp_path: Path) -> None:
    proto = onnx.load(exported.artifact.path)
    entries = {entry.key: entry for entry in proto.metadata_props}
    record = json.loads(entries[artifact.METADATA_KEY].value)
    del record["precision"], record["budget_db"], record["lowering"]
    text = json.dumps(record)
    entries[artifact.METADATA_KEY].value = text
    entries[artifact.SEAL_KEY].value = hashlib.sha256(text.encode()).hexdigest()
    path = tmp_path / "mpd-11.onnx"
    path.write_bytes(proto.SerializeToString(deterministic=True))
    manifest = artifact.load(path).manifest
    assert (manifest.precision, manifest.budget_db) == (FP32, 100)
    assert manifest == exported.artifact.manifest


def test_a_file_that_is_not_exact_enough_is_not_written(mpd_11: Trained, untouched: Path) -> None:
    with pytest.raises(HifiError, match="90 dB leaves every layer in float32"):
        export_onnx(replace(HALF, min_snr_db=90.0), mpd_11, untouched)


def test_a_layer_that_stays_in_float32_unasked_writes_nothing(
    mpd_11: Trained, untouched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(narrow.TYPES, "fp16", narrow.TYPES["fp32"])
    with pytest.raises(ContractError, match="convs.0 computes in .*, not fp16"):
        export_onnx(HALF, mpd_11, untouched)


def test_a_wrongly_scaled_layer_writes_nothing(
    mpd_11: Trained, untouched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = narrow._Narrowing._constant

    def wrong(*given: Any) -> Any:
        made: Any = right(*given)
        if made.name == "convs.2.weight":
            made.const_value = ir.tensor(made.const_value.numpy() * 2, name=made.name)
        return made

    monkeypatch.setattr(narrow._Narrowing, "_constant", wrong)
    with pytest.raises(HifiError, match="nothing was written"):
        export_onnx(HALF, mpd_11, untouched)
