"""What PyTorch computes of a request's inputs: what every runtime is held against."""

import copy
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from export.request import ExportRequest
from hifigan_ref import audio
from hifigan_ref.errors import HifiError, named
from hifigan_ref.examples import example
from hifigan_ref.module_file import line_of
from hifigan_ref.module_spec import is_module, parse_spec
from hifigan_ref.network import Sizes

if TYPE_CHECKING:
    from export.interface import Interface

Array = NDArray[np.floating]


def example_inputs(
    request: ExportRequest, sizes: Sizes, gain_db: float | None = None
) -> dict[str, NDArray[np.float32]]:
    """Speech for each waveform, another segment of it for each; the loudest comes first.

    Args:
        request: of the graph.
        sizes: a length for each axis.
        gain_db: beside the level that training code gives a file; None for the clip as it is.
    """
    speech = audio.speech()
    clip = (speech if gain_db is None else speech.loaded(gain_db)).loudest_first()
    return example(request.signature.inputs, sizes, clip)


def run_torch(
    function: "Interface", inputs: Mapping[str, NDArray[np.floating]]
) -> dict[str, NDArray[np.floating]]:
    """Outputs of PyTorch in the precision of the inputs.

    Raises:
        HifiError: a user's module does not take their lengths.
    """
    import torch

    given = {name: torch.from_numpy(array) for name, array in inputs.items()}
    try:
        with torch.inference_mode():
            outputs = function(**given)
    except Exception as error:
        if not is_module(function.variant.family):
            raise
        spec = parse_spec(function.variant.family)
        told = ", ".join(f"{name} {tuple(array.shape)}" for name, array in inputs.items())
        raise HifiError(
            f"{spec.told} fails on {told}{line_of(error, spec.file)}: {named(error)}: pad inside "
            "of it to what it takes, or fix that axis with --axis NAME=LENGTH"
        ) from None
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def run_in_float64(function: "Interface", inputs: Mapping[str, Array]) -> Mapping[str, Array]:
    """Outputs of PyTorch in float64: parts of the batch side by side, each on cores of its own.

    On many cores together PyTorch is slower at a grouped convolution in float64 than on one.
    """
    import torch

    with torch.no_grad():
        double = copy.deepcopy(function).double()
    threads = torch.get_num_threads()
    parts = min(threads, len(next(iter(inputs.values()))))
    of_each = threads // parts
    cut = {name: np.array_split(x.astype(np.float64), parts) for name, x in inputs.items()}
    each = [{name: arrays[part] for name, arrays in cut.items()} for part in range(parts)]
    try:
        with ThreadPoolExecutor(parts, "", torch.set_num_threads, (of_each,)) as pool:
            found = list(pool.map(partial(run_torch, double), each))
    finally:
        torch.set_num_threads(threads)  # OpenMP counts for each thread, MKL once for all
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on a single thread: others cost more than they give where a layer is tiny."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
