"""Networks that many tests need, built once."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

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


@pytest.fixture(scope="session")
def mpd() -> Trained:
    """The multi-period discriminator from seed 0. Do not change it."""
    return Seeded(0).build(Variant("mpd"))


@pytest.fixture(scope="session")
def msd() -> Trained:
    """The multi-scale discriminator from seed 0. Do not change it."""
    return Seeded(0).build(Variant("msd"))


@pytest.fixture(scope="session")
def mpd_11() -> Trained:
    """One period from seed 0. Do not change it."""
    return Seeded(0).build(Variant("mpd", "11"))


@pytest.fixture(scope="session")
def msd_0() -> Trained:
    """The scale with spectral norm, from seed 0. Do not change it."""
    return Seeded(0).build(Variant("msd", "0"))
