"""What goes into each call, and how far what comes out is from the whole."""

import numpy as np
import pytest

from bench.player import Pace
from bench.stream.feed import feed_of, worst_db
from export.stream_record import PAST, REMAINING

SEVEN = np.arange(1, 8, dtype=np.float32).reshape(1, 1, 7)
STILL = np.full((1, 2), 9, np.float32)
AXES = {"x": 2}


def test_parts_of_a_signal_with_zeros_outside() -> None:
    feed = feed_of({"x": SEVEN, "g": STILL}, AXES, Pace(3, 2, 0.0, 7), 1, (PAST, REMAINING), 2)
    found = [feed.part(call) for call in range(3)]
    assert [part["x"][0, 0].tolist() for part in found] == [
        [0, 1, 2, 3, 4, 5],
        [3, 4, 5, 6, 7, 0],
        [6, 7, 0, 0, 0, 0],
    ]
    assert all(part["x"].shape == (2, 1, 6) and part["g"].shape == (2, 2) for part in found)
    assert [part[PAST].tolist() for part in found] == [[0, 0], [3, 3], [6, 6]]
    assert [part[REMAINING].tolist() for part in found] == [[7, 7], [4, 4], [1, 1]]
    assert found[0][PAST].dtype == np.int64


def test_a_file_with_states_is_called_until_all_is_out() -> None:
    pace = Pace(3, 0, 4.0, 7)
    feed = feed_of({"x": SEVEN}, AXES, pace, 0, (REMAINING,))
    found = [feed.part(call) for call in range(pace.calls)]
    assert [part["x"][0, 0].tolist() for part in found[-2:]] == [[7, 0, 0], [0, 0, 0]]
    assert [part[REMAINING].item() for part in found] == [7, 4, 1, -2]
    assert PAST not in found[0]


def test_the_worst_chunk_decides() -> None:
    whole = np.full((1, 1, 10), 2.0)
    found = whole.astype(np.float32)
    assert worst_db(whole, found, 2, 4) == np.inf
    found[..., 9] += 1  # of the last chunk, which has two: mean square error 0.5, power 4
    assert worst_db(whole, found, 2, 4) == pytest.approx(10 * np.log10(8))
    assert worst_db(whole, found[..., :8], 2, 4) == np.inf, "as far as it was computed"
    found[..., 0] = np.nan
    assert worst_db(whole, found, 2, 4) == -np.inf
