"""A runtime that computes what a file says and takes as long as it is told, by its own clock."""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from bench.backend import LOWERING, Backend, Case, Session
from bench.tune.trial import Bench
from fakes import FakeBackend, FakeSession, TickingClock

Forms = Mapping[str, str]
LAYER = re.compile(r"(convs\.\d+|conv_post|conv)((?:\.[a-z\d-]+)*)")


def forms_in(proto: onnx.ModelProto) -> dict[str, str]:
    """The form of each layer, as the names of its nodes tell."""
    found = {}
    for node in proto.graph.node:
        told = LAYER.fullmatch(node.name)
        if node.op_type == "Conv" and told and not told[2].endswith(".inputs"):
            found[told[1]] = "+".join(told[2].split(".")[1:]) or "plain"
    return found


@dataclass
class Clockwork:
    """Backend ``clockwork``.

    Attributes:
        seconds: of a pass, from the form of each layer; what it raises, the runtime does.
        wrong: forms whose outputs are wrong by a factor.
        fails_in: method of the session that raises, by form.
        clock: on which the passes take their time.
        opened: forms of each session, in order.
        closed: how many were closed.
    """

    seconds: Callable[[Forms], float]
    wrong: Mapping[str, float] = field(default_factory=dict)
    fails_in: Mapping[str, str] = field(default_factory=dict)
    clock: TickingClock = field(default_factory=TickingClock)
    opened: list[dict[str, str]] = field(default_factory=list)
    closed: int = 0

    def backends(self) -> dict[str, Backend]:
        blind = FakeBackend("blind")
        absent = FakeBackend("absent", reason="pip install absent[gpu]", options=(LOWERING,))
        mine = FakeBackend("clockwork", self.session, options=(LOWERING,))
        return {each.name: each for each in (blind, absent, mine)}

    def bench(self, peak: float = np.inf, floor_db: float = 108.0) -> Bench:
        shuffle = random.Random(0)
        return Bench("clockwork", 1, peak, floor_db, shuffle, self.clock)

    def session(self, case: Case) -> Session:
        forms = forms_in(onnx.load(case.artifact.path))
        self.opened.append(forms)
        form = next(iter(forms.values()))
        passes: Iterator[float] = repeat(self.seconds(forms))
        made = _Session({}, self.clock, passes, self.fails_in.get(form, ""))
        made.network = ort.InferenceSession(case.artifact.path)
        made.owner, made.factor = self, self.wrong.get(form, 1.0)
        made.load(case.inputs)
        return made


class _Session(FakeSession):
    network: ort.InferenceSession
    owner: Clockwork
    factor: float

    def load(self, inputs: Mapping[str, NDArray[np.float32]]) -> None:
        super().load(inputs)
        self._inputs = inputs

    def outputs(self) -> dict[str, NDArray[np.floating]]:
        super().outputs()
        found = self.network.run(None, dict(self._inputs))
        names = [port.name for port in self.network.get_outputs()]
        return {n: each * np.float32(self.factor) for n, each in zip(names, found, strict=True)}

    def close(self) -> None:
        super().close()
        self.owner.closed += 1
