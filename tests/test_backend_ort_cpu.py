"""onnxruntime on the CPU: an int8 file that it computes in float32 is not int8."""

import re
from collections.abc import Callable

from bench.records import Result, Skipped


def test_float32_has_a_speed_and_no_trace(row_of: Callable[[str], Result]) -> None:
    row = row_of("ort-cpu")
    assert not isinstance(row.measurement, Skipped), row.measurement
    assert "precision of the convolutions" not in {claim.what for claim in row.proof}


def test_int8_that_is_multiplied_in_float32_is_invalid(row_of: Callable[[str], Result]) -> None:
    """It takes integers only where results are quantized too, which these files do not do."""
    row = row_of("ort-cpu:precision=int8")
    (claim,) = (each for each in row.proof if each.what == "precision of the convolutions")
    assert re.fullmatch(r"\d fp32, \d int8", claim.asked)
    if claim.holds:  # another onnxruntime may know better
        assert not isinstance(row.measurement, Skipped)
        return
    # it makes a convolution of the factors that give equalized channels their loudness back, too
    assert claim.found in ("6 fp32", "7 fp32")
    told = f"INVALID: {claim.what}: asked for {claim.asked}, found {claim.found}"
    assert row.measurement == Skipped(told)
