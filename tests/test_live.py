"""A sweep is followed to its end, or to Ctrl-C."""

from collections.abc import Iterator

import pytest

from bench.cell.group import Partial, Phase, Step
from bench.live import Watched, watch
from fakes import fake_result


def test_watching_returns_the_results_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    results = [fake_result(name) for name in ("a", "b", "c")]
    steps: list[Step] = [Phase("[/] one [x]"), results[0], Phase("two"), *results[1:]]
    assert watch(iter(steps), 3) == Watched(tuple(results), interrupted=False)
    assert capsys.readouterr().out == "", "standard output is for the table"


def test_ctrl_c_leaves_what_there_is() -> None:
    def interrupted() -> Iterator[Step]:
        yield fake_result("done")
        yield Partial(fake_result("half"))
        raise KeyboardInterrupt

    expected = (fake_result("done"), fake_result("half"))
    assert watch(interrupted(), 9) == Watched(expected, interrupted=True)


def test_watching_passes_errors_on() -> None:
    def breaking() -> Iterator[Step]:
        yield Phase("one")
        raise ValueError("a bug keeps its traceback")

    with pytest.raises(ValueError, match="traceback"):
        watch(breaking(), 1)
