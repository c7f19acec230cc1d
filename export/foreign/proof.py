"""Whether a network that was read from an ONNX file computes what the file does.

1. A part of a voice hears the voice's own latents: the whole file runs in onnxruntime on phonemes,
   with what enters the part and what leaves it as outputs.
2. Of a file whose inputs are real numbers, or whose own do not suit, the part runs alone, on
   seeded noise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from export.foreign.network import OnnxNetwork
from export.foreign.reading import read_graph
from export.sums import sums_of
from hifigan_ref.errors import HifiError, in_one_line
from hifigan_ref.variant import Variant

Arrays = Mapping[str, NDArray[Any]]

LEAST_DB = 100.0
PHONEMES = 40
SCALES = (0.667, 1.0, 0.8)  # noise, length and noise of durations, as Piper speaks
NOISE = "seeded noise"
OWN = "its own latents"


class _RefusedError(Exception):
    """What onnxruntime says of a graph that it does not run."""


@dataclass(frozen=True)
class Equality:
    """A network beside the file that it was read from.

    Attributes:
        snr_db: of the file in onnxruntime beside the network in float64, of the worst output, dB.
        heard: what both were given.
    """

    snr_db: float
    heard: str


def prove(variant: Variant) -> Equality:
    """Run both.

    Args:
        variant: a network out of an ONNX file.

    Raises:
        HifiError: they differ, or onnxruntime cannot run the file.
    """
    network = variant.network
    assert isinstance(network, OnnxNetwork)
    reason = ""
    for heard, run in ((OWN, _own_latents), (NOISE, _noise)):
        try:
            found = run(network)
        except _RefusedError as error:
            reason = str(error)
            continue
        if found is None:
            continue
        inputs, outputs = found
        snr_db = _snr_db(network, inputs, outputs)
        if not snr_db >= LEAST_DB:
            raise HifiError(
                f"{network.spec.told} was read as a network that is {snr_db:.1f} dB from what the "
                f"file computes on {heard}: nothing was written; report this"
            )
        return Equality(snr_db, heard)
    raise HifiError(
        f"onnxruntime {ort.__version__} cannot run {network.spec.told}: {reason}: export it again"
    )


def _snr_db(network: OnnxNetwork, inputs: Arrays, outputs: Arrays) -> float:
    module = network.build().double()
    given = {name: torch.from_numpy(array).double() for name, array in inputs.items()}
    with torch.no_grad():
        exact = {name: tensor.numpy() for name, tensor in module(**given).items()}
    return min(sums_of(exact[name], outputs[name]).snr_db for name in exact)


def _own_latents(network: OnnxNetwork) -> tuple[Arrays, Arrays] | None:
    """What enters a part and what leaves it, where the whole file runs on phonemes."""
    if not network.spec.name:
        return None
    model = read_graph(network.spec.file)
    names = {
        name: str(value.name)
        for ports in (network.part.inputs, network.part.outputs)
        for name, value in ports.items()
    }
    values = {str(v.name): v for node in model.graph for v in node.outputs}
    model.graph.outputs[:] = [values[name] for name in names.values() if name in values]
    given = {str(v.name): _phonemes(str(v.name), v) for v in model.graph.inputs}
    found = _run(model, given)
    if len(found) != len(names):
        return None
    return (
        {name: found[names[name]] for name in network.part.inputs},
        {name: found[names[name]] for name in network.part.outputs},
    )


def _phonemes(name: str, value: ir.Value) -> NDArray[Any]:
    """Something that a voice takes for an input of its own."""
    rank = len(value.shape.dims) if value.shape is not None else 0
    if value.dtype is not None and value.dtype.is_floating_point():
        return np.array(SCALES, np.float32)
    if "length" in name:
        return np.array([PHONEMES], np.int64)
    if rank == 2:
        return np.random.default_rng(0).integers(1, 30, (1, PHONEMES)).astype(np.int64)
    return np.zeros(1, np.int64)  # the first speaker


def _noise(network: OnnxNetwork) -> tuple[Arrays, Arrays]:
    """The part alone."""
    sizes = network.signature().typical
    generator = np.random.default_rng(0)
    inputs = {
        port.name: generator.standard_normal(port.sized(sizes)).astype(np.float32)
        for port in network.signature().inputs
    }
    model, part = network.model, network.part
    names = {str(value.name): name for name, value in part.outputs.items()}
    alone = ir.Model(
        ir.convenience.extract(
            model.graph,
            [str(value.name) for value in part.inputs.values()],
            list(names),
        ),
        ir_version=model.ir_version,
    )
    found = _run(alone, {str(part.inputs[name].name): x for name, x in inputs.items()})
    return inputs, {names[key]: x for key, x in found.items()}


def _run(model: ir.Model, given: Arrays) -> Arrays:
    """Outputs by name. Raises _RefusedError where onnxruntime does not take graph or inputs."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        content = ir.to_proto(model).SerializeToString()
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        outputs = session.run(None, dict(given))
    except Exception as error:  # noqa: BLE001 - onnxruntime's errors derive from none but this
        raise _RefusedError(in_one_line(error)) from None
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, outputs, strict=True))
