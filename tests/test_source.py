"""Where weights come from: told without reading them, read once."""

import subprocess
import sys
from pathlib import Path

import pytest

from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant


def test_a_seed_is_its_own_identity(mpd_11: Trained) -> None:
    assert Source(seed=0).identity == "seed 0"
    assert Source(seed=1).identity == "seed 1"
    assert Source().build(Variant("mpd", "11")).digest == mpd_11.digest


def test_a_checkpoint_is_known_by_its_content(tmp_path: Path) -> None:
    one, two, same = tmp_path / "do_1", tmp_path / "do_2", tmp_path / "deep" / "do_1"
    same.parent.mkdir()
    for path, content in ((one, b"1"), (two, b"2"), (same, b"1")):
        path.write_bytes(content)
    assert Source(one).identity == Source(same).identity
    assert Source(one).identity != Source(two).identity
    assert str(tmp_path) not in Source(one).identity


def test_a_checkpoint_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        HifiError, match=r"do_9 cannot be read .*: give the path of a do_"
    ) as caught:
        _ = Source(tmp_path / "do_9").identity
    assert "\n" not in str(caught.value)


def test_a_checkpoint_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "do_1"
    path.write_bytes(b"no checkpoint")
    source = Source(path)
    assert source.identity.startswith("do_1 ")
    with pytest.raises(HifiError, match="do_1 is damaged or no PyTorch file"):
        source.build(Variant("mpd"))


def test_an_identity_needs_no_pytorch() -> None:
    code = "import sys; from hifigan_ref.source import Source; Source().identity; "
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
