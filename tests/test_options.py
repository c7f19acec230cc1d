"""Which networks the options name."""

import pytest

from export.options import Model, select
from hifigan_ref.errors import HifiError


def test_every_network_that_is_named_is_chosen_once_in_that_order() -> None:
    found = select([11, 2, 11], [0], [Model.msd, Model.mpd, Model.msd])
    assert list(map(str, found)) == ["mpd-11", "mpd-2", "msd-0", "msd", "mpd"]
    assert list(map(str, select(None, None, [Model.msd, Model.all]))) == ["msd", "mpd"]
    assert select(None, None, None) == []


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(HifiError, match="13"):
        select([13], None, None)
