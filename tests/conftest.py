"""Networks that many tests need, built once."""

import copy
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from torch import nn

from bench import gpu
from bench.backend import Case
from bench.cell.ledger import Ledger
from bench.choice import choose
from bench.machine import busy
from bench.records import Result, Workload
from bench.stopping import Limits
from bench.suite import Plan, sweep
from export.cache import cached_export
from export.fold import fold
from export.request import DEFAULT_OPSET, ExportRequest, views_of
from fakes import Here
from hifigan_ref import audio
from hifigan_ref.seeded import Seeded
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test reads or fills the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["HIFI_EXPORT_CACHE"] = str(folder)
    yield folder
    del os.environ["HIFI_EXPORT_CACHE"]


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A shell that starts a command in the background lets it ignore Ctrl-C, children included."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else runs beside the tests is told by none of them."""
    monkeypatch.setattr(busy, "moment", lambda: busy.Moment(0.0, 0.0, 0.0))
    monkeypatch.setattr(busy, "SECONDS", 0.0)


@pytest.fixture(scope="session")
def mpd() -> Trained:
    """The multi-period discriminator from seed 0. Do not change it."""
    return Seeded(0).build(Variant("mpd"))


@pytest.fixture(scope="session")
def msd() -> Trained:
    """The multi-scale discriminator from seed 0. Do not change it."""
    return Seeded(0).build(Variant("msd"))


@pytest.fixture(scope="session")
def folded(mpd: Trained, msd: Trained) -> dict[str, nn.Module]:
    """Both ensembles without norms. Do not change them."""
    networks = {name: copy.deepcopy(each.module) for name, each in (("mpd", mpd), ("msd", msd))}
    for network in networks.values():
        fold(network)
    return networks


@pytest.fixture(scope="session")
def mpd_11() -> Trained:
    """One period from seed 0. Do not change it."""
    return Seeded(0).build(Variant("mpd", "11"))


@pytest.fixture(scope="session")
def p11(mpd_11: Trained) -> nn.Module:
    """The same without norms. Do not change it."""
    network = copy.deepcopy(mpd_11.module)
    fold(network)
    return network


@pytest.fixture(scope="session")
def msd_0() -> Trained:
    """The scale with spectral norm, from seed 0. Do not change it."""
    return Seeded(0).build(Variant("msd", "0"))


@dataclass(frozen=True)
class Given:
    """Weights that are there already."""

    trained: Trained
    checkpoint: Path | None = None
    seed: int = 0

    @property
    def origin(self) -> str:
        return self.trained.origin

    @property
    def identity(self) -> str:
        return self.trained.origin

    def build(self, variant: Variant) -> Trained:
        assert variant == self.trained.variant
        return self.trained


@pytest.fixture
def row_of(mpd_11: Trained, tmp_path: Path) -> Callable[..., Result]:
    """The row of a backend, as typed, on one period: parity, proof and a moment of sampling."""

    def run(spec: str, samples: int = 1024) -> Result:
        plan = Plan(
            backends=(spec,),
            variants=(mpd_11.variant,),
            batches=(2,),
            sizes={"samples": samples},
            views=(),
            threads=1,
            recording=audio.clip(),
            limits=Limits(0.01, 0.01, 0.01),
            rounds=1,
        )
        steps = sweep(plan, Given(mpd_11), Ledger(tmp_path / "ledger"), Here)
        (row,) = (step for step in steps if isinstance(step, Result))
        return row

    return run


@pytest.fixture
def case_of(mpd_11: Trained) -> Callable[..., Case]:
    """What a backend, as typed, is given to run: speech, batch 2, one thread."""

    def make(
        spec: str,
        trained: Trained = mpd_11,
        pair: bool = False,
        samples: int = 1024,
        first: int = 0,
    ) -> Case:
        choice = choose(spec)
        split = choice.split(())
        name, origin = str(trained.variant), trained.origin
        request = ExportRequest(
            trained.variant,
            split.opset(DEFAULT_OPSET),
            views=views_of("all", pair),
            precision=split.file,
        )
        artifact = cached_export(request, origin, lambda _: trained)
        precision = choice.precision(trained.variant)
        load = Workload(
            name,
            precision=precision,
            source="clip",
            weights=origin,
            threads=1,
            sizes={"batch": 2, "samples": samples},
            views=views_of("all", pair),
        )
        inputs = {
            name: audio.clip().batch(2, samples, first + 2 * i)
            for i, name in enumerate(request.inputs)
        }
        return Case(
            load, request, lambda: trained, artifact, inputs, 1, choice.options, split.runtime
        )

    return make


@dataclass
class FakeStream:
    """A stream on which everything is done at once."""

    cuda_stream: int = 77
    waits: int = 0

    def synchronize(self) -> None:
        self.waits += 1


@dataclass
class HostGpu:
    """The host's memory in place of a GPU's.

    Attributes:
        stream: that every session gets.
        held: bytes that the driver would tell.
        released: how often memory was given back.
    """

    stream: FakeStream
    held: int = 2**20
    released: int = 0

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def host_gpu(monkeypatch: pytest.MonkeyPatch) -> HostGpu:
    """PyTorch takes any stream where it has no GPU."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("PyTorch has a GPU here, on which the tests that need one run")
    host = HostGpu(FakeStream())
    monkeypatch.setattr(gpu, "DEVICE", "cpu")
    monkeypatch.setattr(gpu, "held_bytes", lambda: host.held)
    monkeypatch.setattr(gpu, "release", host.release)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: host.stream)
    return host
