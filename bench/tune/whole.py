"""Winners on the whole graph of a member, because layer times do not simply add.

1. All winners at once against the plain graph.
2. Layer by layer, the longest first: the plain form and the best of the others against what was
   best so far; what is faster by more than ``GAIN``, twice, stays.
3. The plan against the plain graph, in more rounds: of many that are tried some are only lucky, so
   it stays if the whole 95 % interval of the ratio is below 1.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import numpy as np
import onnx_ir as ir

from bench.cell.turn import turn
from bench.stopping import median_interval
from bench.timing.measure import no_collection
from bench.tune.lessened import lessened
from bench.tune.trial import ROUNDS, Bench, Racer, race
from bench.tuning_record import LayerTrials, Step
from export import artifact, scratch
from export.artifact import Artifact
from export.lowering.lower import lower
from export.lowering.plan import LoweringPlan
from export.precision.layers import resolve
from export.request import ExportRequest

GAIN = 0.01
CLEAR = 0.03  # by how much a layer's winner beats the plain form, alone
OTHERS = 2  # besides the plain form
CLOSE = 1.15  # times the best trial of the layer
SHARE = 0.02  # of the graph's time, below which a layer is left as its trial says
SURE_ROUNDS = 25
PLAIN = "plain"  # where every layer is as no plan has to say
RULE = (GAIN, CLEAR, OTHERS, CLOSE, SHARE, SURE_ROUNDS)


class Whole:
    """A member's graph on a backend.

    Args:
        bench: where.
        request: with fixed axes.
        model: its plain graph.
        file: the plain file.
    """

    def __init__(
        self, bench: Bench, request: ExportRequest, model: ir.Model, file: Artifact
    ) -> None:
        self._bench = bench
        self._request = request
        self._model = model
        self._file = file
        generator = np.random.default_rng(1)
        shapes = {port.name: port.sized(request.sizes) for port in request.signature.inputs}
        self._pool = [
            {n: generator.standard_normal(s, dtype=np.float32) for n, s in shapes.items()}
            for _ in range(2)
        ]

    def ratios(
        self, plans: Mapping[str, Mapping[str, str]], rounds: int = ROUNDS
    ) -> dict[str, tuple[float, ...]]:
        """Time of each plan over that of the first in every round; infinite for what fails."""
        found: dict[str, tuple[float, ...]] = {}
        with (
            turn(),
            scratch.folder() as folder,
            ExitStack() as stack,
            no_collection(),
        ):
            racers: list[Racer[str]] = []
            for number, (name, plan) in enumerate(plans.items()):
                try:
                    file = self._lowered(plan, folder / str(number))
                    session = self._bench.open(file, self._pool[0], self._request)
                    stack.callback(session.close)
                    racer = Racer(name, session, self._pool, self._bench.clock)
                    racer.round()
                # a runtime fails in types of its own
                except Exception:
                    if not racers:
                        raise
                    found[name] = (np.inf,)
                    continue
                racers.append(racer)
            race(racers, self._bench.shuffle, rounds, far=np.inf)
        first = racers[0].rounds
        for racer in racers:
            pairs = zip(racer.rounds, first, strict=True)
            found[racer.key] = tuple(mine / theirs for mine, theirs in pairs)
        return found

    def _lowered(self, plan: Mapping[str, str], folder: Path) -> Artifact:
        forms = LoweringPlan("", plan).forms(self._request.variant)
        if not any(forms.values()) and self._request.precision.is_float32:
            return self._file
        layers = resolve(self._model, self._request.precision, self._request.variant)
        model = lower(self._model, forms) if any(forms.values()) else self._model
        proto = ir.to_proto(lessened(model, layers, self._request.precision))
        content = proto.SerializeToString(deterministic=True)
        folder.mkdir()
        return artifact.save(folder / "graph.onnx", self._file.manifest, content, durable=False)


def improve(
    whole: Whole, member: str, trials: Mapping[str, LayerTrials], floor_db: float
) -> Iterator[Step | dict[str, str]]:
    """Every step, then the plan.

    Args:
        whole: the member's graph.
        member: its name.
        trials: by layer.
        floor_db: least SNR of a form.
    """
    start = _start(trials)
    plan = start
    for each in _layer_by_layer(whole, member, trials, floor_db):
        if isinstance(each, Step):
            yield each
        else:
            plan = each
    if plan != start:
        sure = _beside_plain(whole, member, start, plan)
        yield sure
        plan = plan if sure.kept else start
    yield plan


def _start(trials: Mapping[str, LayerTrials]) -> dict[str, str]:
    """Forms of layers that are not written plainly even where no plan names them."""
    firsts = {name: each.plain.form for name, each in trials.items()}
    return {name: form for name, form in firsts.items() if form != PLAIN}


def _layer_by_layer(
    whole: Whole, member: str, trials: Mapping[str, LayerTrials], floor_db: float
) -> Iterator[Step | dict[str, str]]:
    fields = {name: each.contenders(floor_db) for name, each in trials.items()}
    start = _start(trials)
    winners = {
        name: fields[name][0].form
        for name, each in trials.items()
        if fields[name][0].median < (1 - CLEAR) * each.plain.median
    }
    if not winners:
        yield start
        return
    plan = {**start, **winners}
    ratio = median(whole.ratios({PLAIN: start, "winners": plan})["winners"])
    yield Step(member, "", "winners", ratio, ratio < 1 - GAIN)
    if ratio >= 1 - GAIN:
        plan = start
    total = sum(each.plain.median for each in trials.values())
    for name in sorted(trials, key=lambda each: -trials[each].plain.median):
        if trials[name].plain.median < SHARE * total:
            continue
        best = fields[name][0].median
        first = trials[name].plain.form
        now = plan.get(name, first)
        near = [t.form for t in fields[name] if t.median <= CLOSE * best and t.form != now]
        others = near[:OTHERS]
        if now != first and first not in others:
            others.append(first)
        if not others:
            continue
        tried = {form: {**plan, name: form} for form in others}
        ratios = {name: median(each) for name, each in whole.ratios({"": plan, **tried}).items()}
        form = min(others, key=lambda each: ratios[each])
        if ratios[form] < 1 - GAIN:  # what wins once may have been lucky
            again = median(whole.ratios({"": plan, form: tried[form]})[form])
            ratios[form] = max(ratios[form], again)
        kept = ratios[form] < 1 - GAIN
        for each in others:
            yield Step(member, name, each, ratios[each], kept and each == form)
        if kept:
            plan = {k: v for k, v in tried[form].items() if v != PLAIN or k in start}
    yield plan


def _beside_plain(
    whole: Whole, member: str, start: Mapping[str, str], plan: Mapping[str, str]
) -> Step:
    rounds = whole.ratios({PLAIN: start, "plan": plan}, SURE_ROUNDS)["plan"]
    _, high = median_interval(rounds)
    return Step(member, "", "plan", median(rounds), high < 1)
