"""What a tuner found as a document: speeds, the plan, and every form that was tried."""

from collections.abc import Sequence
from typing import NamedTuple

from bench.choice import has_lowering
from bench.hole import Skipped
from bench.names import grouped, outputs_name, shape_name
from bench.records import Result
from bench.render.charts import COLOURS, GREY, Trace, axis, chart
from bench.render.document import Chart, Column, Document, Key, Section, Table, ms
from bench.render.views import machine, parity, report
from bench.render.views.speedups import complete, speedups
from bench.tuning_record import PEER, LayerTrials, Trial, Tuned, Tuning

TUNED, PLAIN = "tuned", "plain"
GAINS = "Each layer alone in the runtime: as exported, and in the form that the plan has for it."
OTHER = "a layer alone; the plan may differ, because layer times do not simply add"
ALL = "all: over the plain graph; the plan is kept where the 95 % interval lies below 1"


class _Form(NamedTuple):
    """A form of a layer, called by one of its names."""

    name: str
    layer: LayerTrials
    trial: Trial

    @property
    def gain(self) -> float | None:
        """How many times as fast as the plain form, if it ran."""
        return self.layer.plain.median / self.trial.median if self.trial.seconds else None


def document(tuned: Tuned) -> Document:
    """Speeds and the plan in short; all trials, and the comparison as a report, in sections."""
    tuning = tuned.tuning
    fast, plan = speeds(tuning.results), chosen(tuning)
    return Document(
        title=f"hifi-bench tune: {tuning.backend}",
        facts=report.facts(tuned.report),
        summary=(*fast, plan),
        sections=(
            Section("Speed", tables=fast),
            Section("Plan", GAINS, (_chart(tuning),), tables=(plan, whole(tuning))),
            Section("Forms tried", folded=tuple(map(tried, tuning.layers))),
            *report.sections(tuned.report),
        ),
        tool=tuning.tool,
        warnings=_warnings(tuning),
        verdicts=tuple(map(parity.verdict, tuned.parities)),
    )


def brief(tuning: Tuning) -> Document:
    """The comparison and every layer, for a page about something else."""
    load = f"{shape_name(tuning.sizes)}, outputs: {outputs_name(tuning.views)}"
    facts = (
        f"{tuning.backend} in {tuning.precision}, {load}, threads: {tuning.threads}",
        *machine.lines(tuning.machine),
        f"{tuning.tool}, {tuning.created}",
    )
    summary = (*speeds(tuning.results), winners(tuning))
    return Document("", facts, summary, warnings=_warnings(tuning))


def speeds(results: Sequence[Result]) -> tuple[Table, ...]:
    """How many times as fast as PyTorch and as the plain file: together, and each network."""
    apart = grouped(results, lambda row: row.workload.variant)
    together = [complete(results, _role)] if len(apart) > 1 else []
    tables = (*together, *(complete(rows, _role) for rows in apart.values()))
    plain = next((name for name in map(_role, results) if name not in (PEER, TUNED)), PLAIN)
    return tuple(speedups(rows, {PEER: PEER, PLAIN: plain}) for rows in tables if rows)


def winners(tuning: Tuning) -> Table:
    """Every layer: the fastest form that is exact enough, alone, and what the plan has for it."""

    def planned(form: _Form) -> str:
        return ", ".join(dict.fromkeys(tuning.plan.get(name, PLAIN) for name in form.layer.names))

    columns = (
        Column("layer", lambda form: ", ".join(form.layer.names)),
        Column("problem", "layer.geometry"),
        ms("plain ms", "layer.plain.median"),
        Column("fastest alone", "trial.form"),
        ms("ms", "trial.median"),
        Column("gain", "gain", "{:.2f}x"),
        Column("in the plan", planned),
    )
    best = (_Form("", layer, layer.contenders(tuning.floor_db)[0]) for layer in tuning.layers)
    return Table("Layers", columns, tuple(best), (OTHER,))


def chosen(tuning: Tuning) -> Table:
    """Every layer whose form is not the plain one."""
    columns = (
        Column("layer", "name"),
        Column("form", "trial.form"),
        ms("plain ms", "layer.plain.median"),
        ms("ms", "trial.median"),
        Column("gain", "gain", "{:.2f}x"),
        Column("FLOPs", lambda form: form.trial.flops / form.layer.plain.flops, "{:.2f}x"),
        Column("SNR dB", "trial.snr_db", "{:.0f}", spare=1),
        Column("forms", lambda form: sum(1 for each in form.layer.trials if each.seconds)),
    )
    forms = _planned(tuning)
    return Table("The plan", columns, forms, (OTHER if forms else "every layer is plain",))


def _planned(tuning: Tuning) -> tuple[_Form, ...]:
    return tuple(
        _Form(name, layer, layer.trial(tuning.plan[name]))
        for layer in tuning.layers
        for name in layer.names
        if name in tuning.plan
    )


def whole(tuning: Tuning) -> Table:
    """What was tried on whole graphs."""
    columns = (
        Column("network", "member"),
        Column("layer", lambda step: step.layer or "all"),
        Column("form", "form"),
        Column("time over the best before", "ratio", "{:.3f}"),
        Column("kept", "kept"),
    )
    return Table("On whole graphs", columns, tuning.steps, (ALL,) if tuning.steps else ())


def tried(layer: LayerTrials) -> Table:
    """Every form of a layer, the fastest first."""
    columns = (
        Column("form", "trial.form"),
        ms("ms", lambda form: form.trial.median if form.trial.seconds else None),
        Column("gain", "gain", "{:.2f}x"),
        Column("GFLOP", "trial.flops", "{:.3f}", 1e-9),
        Column("MB", "trial.bytes", "{:.1f}", 1e-6),
        Column("SNR dB", lambda form: _said(form.trial.snr_db), "{:.0f}"),
    )
    order = sorted(layer.trials, key=lambda trial: trial.median)
    title = f"{', '.join(layer.names)}: {layer.geometry}"
    return Table(title, columns, tuple(_Form("", layer, trial) for trial in order))


def _said(found: float | Skipped) -> float | str:
    return found.reason if isinstance(found, Skipped) else found


def _warnings(tuning: Tuning) -> tuple[str, ...]:
    return machine.warnings([tuning.others, *(result.others for result in tuning.results)])


def _role(row: Result) -> str:
    """Which of the three it is; an interrupted run lacks some."""
    return TUNED if has_lowering(row.backend) else row.backend


def _chart(tuning: Tuning) -> Chart:
    """Two bars for each layer of the plan, the slowest first."""
    forms = sorted(_planned(tuning), key=lambda form: -form.layer.plain.median)
    before = [form.layer.plain.median for form in forms]
    after = [form.trial.median for form in forms]
    names = [form.name for form in forms]
    traces = [
        _bars(Key("as exported", "■", GREY), names, before, [""] * len(names)),
        _bars(Key("tuned", "■", COLOURS[0]), names, after, [form.trial.form for form in forms]),
    ]
    return chart(
        "Layers of the plan",
        traces,
        80 + 34 * max(1, len(names)),
        margin={"l": 130, "r": 60, "t": 12, "b": 46},
        barmode="group",
        xaxis=axis("ms"),
        yaxis={"autorange": "reversed"},
    )


def _bars(key: Key, names: list[str], seconds: list[float], texts: list[str]) -> Trace:
    return key, {
        "type": "bar",
        "y": names,
        "x": [1e3 * each for each in seconds],
        "text": texts,
        "textposition": "outside",
        "cliponaxis": False,
        "orientation": "h",
        "name": key.name,
        "marker": {"color": key.colour},
        "hovertemplate": "%{y}: %{x:.2f} ms %{text}<extra></extra>",
    }
