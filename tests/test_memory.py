"""Shapes that no machine computes are refused before it tries."""

from types import SimpleNamespace

import psutil
import pytest

from export import memory
from hifigan_ref.errors import HifiError


def test_what_fits_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    there = SimpleNamespace(total=2 * 1000 * memory.BYTES_PER_SAMPLE)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: there)
    memory.demand(2, 1000)
    with pytest.raises(HifiError, match="2 x 1001 samples need at least .* choose a smaller batch"):
        memory.demand(2, 1001)
