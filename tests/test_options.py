"""Which networks the options name."""

from inspect import signature

import pytest

from export.option_groups import grouped
from export.options import Lengths
from export.selection import Model, Networks
from hifigan_ref.errors import HifiError


def test_every_network_that_is_named_is_chosen_once_in_that_order() -> None:
    named = Networks([11, 2, 11], [0], [Model.msd, Model.mpd, Model.msd])
    assert list(map(str, named.select())) == ["mpd-11", "mpd-2", "msd-0", "msd", "mpd"]
    assert list(map(str, Networks(model=[Model.msd, Model.all]).select())) == ["msd", "mpd"]
    assert Networks().select() == ()


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(HifiError, match="13"):
        Networks(period=[13]).select()


def test_a_record_of_options_stands_in_the_signature_where_its_fields_belong() -> None:
    calls: list[tuple[Lengths, bool]] = []

    def command(*, first: bool = False, lengths: Lengths, last: bool = False) -> None:
        calls.append((lengths, first and last))

    flat = grouped(command)
    assert list(signature(flat).parameters) == ["first", "samples", "axis", "last"]
    flat(first=True, samples=8, axis=None, last=True)
    assert calls == [(Lengths(8), True)]
