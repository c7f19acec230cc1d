"""PyTorch's arithmetic on a GPU is set for a while; nothing warns and no reader disagrees."""

from collections.abc import Iterator

import pytest
import torch

from bench.torch_numerics import numerics, told


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = told()
    yield
    assert told() == before


@pytest.mark.parametrize("tf32", [False, True])
@pytest.mark.parametrize("benchmark", [False, True])
def test_what_is_set_is_told(tf32: bool, benchmark: bool) -> None:
    words = {True: "on", False: "off"}
    with numerics(tf32, benchmark):
        assert told() == {
            "tf32": words[tf32],
            "tf32_matrix_products": words[tf32],
            "cudnn_benchmark": words[benchmark],
        }


@pytest.mark.parametrize("tf32", [False, True])
def test_readers_by_either_name_agree(tf32: bool) -> None:
    """Parts of ``torch.compile`` read the older names, which raise where they are contradicted."""
    with numerics(tf32, benchmark=False):
        assert torch.backends.cudnn.allow_tf32 == tf32
        assert torch.backends.cuda.matmul.allow_tf32 == tf32
        assert torch.get_float32_matmul_precision() == ("high" if tf32 else "highest")
        assert torch.compile(torch.sin, backend="eager")(torch.zeros(1)).item() == 0


def test_it_is_put_back_after_a_failure_too() -> None:
    before = told()

    def fail() -> None:
        with numerics(tf32=True, benchmark=True):
            assert told() != before
            raise RuntimeError("CUDA out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        fail()
    assert told() == before


def test_one_within_another_goes_back_to_the_outer() -> None:
    with numerics(tf32=True, benchmark=False):
        with numerics(tf32=False, benchmark=True):
            assert told()["tf32"] == "off"
        assert told() == {"tf32": "on", "tf32_matrix_products": "on", "cudnn_benchmark": "off"}
