"""What a search for precisions found as a document: the plan, the fronts, every layer alone."""

from collections import Counter
from dataclasses import replace
from math import inf
from typing import NamedTuple

from bench.mixing_record import MemberTrials, Mixing, Trial, plan_text
from bench.names import outputs_name, shape_name
from bench.render.charts import COLOURS, GREY, Trace, axis, chart, label, points
from bench.render.document import Chart, Column, Document, Key, Section, Table, ms
from bench.render.views import machine

LEAD = (
    "Each point is a member's graph that was built and run: how many times as fast as the base, "
    "and how exact its worst output is. Nothing beats the front in both; the larger point is what "
    "is exported."
)
ALONE = "each layer alone in the precision, the others as the base; noise: its share of the sum"
ELSEWHERE = "elsewhere dB: what other speech hardly leaves, by stretches of the calibration audio"
PROMISE = "in the runtime, on the speech and shape below: run there again, they show this again"
EXACT_DB = 200.0  # nothing was rounded
TIMES = Column("times as fast", lambda trial: 1 / trial.ratio, "{:.2f}x")


def document(mixing: Mixing) -> Document:
    """The plan, fronts and promises in short; charts and every layer alone in sections."""
    plan, promises = chosen(mixing), promised(mixing)
    fronts = tuple(map(front, mixing.members))
    charts = tuple(_chart(each, mixing.min_snr_db) for each in mixing.members)
    return Document(
        title=f"hifi-export --precision mixed: {mixing.backend}",
        facts=_facts(mixing),
        summary=(plan, *fronts, promises),
        sections=(
            Section("Plan", tables=(plan, promises)),
            Section("Error and time", LEAD, charts),
            Section("Layers", folded=(*fronts, *map(alone, mixing.members))),
        ),
        tool=mixing.tool,
        warnings=machine.warnings([mixing.others]),
    )


def brief(mixing: Mixing) -> Document:
    """The choice and the promises, for a page about something else."""
    return replace(document(mixing), summary=(chosen(mixing), promised(mixing)))


def _facts(mixing: Mixing) -> tuple[str, ...]:
    load = f"{shape_name(mixing.sizes)}, outputs: {outputs_name(mixing.views)}"
    return (
        f"{mixing.backend}, base {mixing.base}, budget {mixing.min_snr_db:g} dB",
        f"{load}, threads: {mixing.threads}, weights: {mixing.weights}",
        f"errors on {mixing.source} beside PyTorch in float64; calibration: {mixing.calibration}",
        *machine.lines(mixing.machine),
        f"{mixing.tool}, {mixing.created}",
    )


def chosen(mixing: Mixing) -> Table:
    """What is exported: each member, and all together."""
    columns = (
        Column("member", "member"),
        ms("base ms", "seconds"),
        Column("times as fast", "times", "{:.2f}x"),
        Column("SNR dB", "snr_db", "{:.1f}"),
        Column("elsewhere dB", "elsewhere", "{:.1f}"),
        Column("worst output", "worst", spare=1),
        Column("precisions", "precisions"),
        Column("tried", "tried"),
    )
    rows = [_row(each, mixing.base) for each in mixing.members]
    choices = [each.choice for each in mixing.members]
    total = sum(each.seconds for each in mixing.members)
    taken = sum(each.seconds * each.choice.ratio for each in mixing.members)
    together = _Row(
        "all",
        total,
        total / taken,
        min(each.snr_db for each in choices),
        _elsewhere(min(choices, key=lambda trial: trial.likely_db)),
        tried=sum(row.tried for row in rows),
    )
    return Table("The plan", columns, (*rows, together), (ELSEWHERE,))


class _Row(NamedTuple):
    """What is exported of a member, or of all together."""

    member: str
    seconds: float
    times: float
    snr_db: float
    elsewhere: float | None
    worst: str = ""
    precisions: str = ""
    tried: int = 0


def _row(member: MemberTrials, base: str) -> _Row:
    choice = member.choice
    held = Counter(choice.layers.values())
    return _Row(
        member.member,
        member.seconds,
        1 / choice.ratio,
        choice.snr_db,
        _elsewhere(choice),
        choice.worst,
        ", ".join(f"{count} {each}" for each, count in held.items()) or f"all {base}",
        len(member.trials),
    )


def promised(mixing: Mixing) -> Table:
    """How exact each exported file is."""
    columns = (
        Column("file of", "variant"),
        Column("sha256", lambda each: each.sha256[:16]),
        Column("SNR dB", "snr_db", "{:.4f}"),
        Column("worst output", lambda each: max(each.noise, key=each.noise.get)),
    )
    return Table("Exported files", columns, mixing.promises, (PROMISE,))


def front(member: MemberTrials) -> Table:
    """What none beats in both error and time."""
    columns = (
        TIMES,
        Column("SNR dB", "snr_db", "{:.1f}"),
        Column("elsewhere dB", _elsewhere, "{:.1f}", spare=2),
        Column("worst output", "worst", spare=1),
        Column("exported", lambda trial: trial is member.choice),
        Column("layers", lambda trial: plan_text(trial.layers).replace("convs.", "")),
    )
    failed = (f"{len(member.failed)} did not run: {member.failed[0]}",) if member.failed else ()
    title = f"{member.member}: Pareto front, layers as numbers of convs"
    return Table(title, columns, member.front, failed)


def alone(member: MemberTrials) -> Table:
    """How much each layer contributes."""
    single = tuple(trial for trial in member.trials[1:] if len(trial.layers) == 1)
    power = sum(max(trial.noise.values()) for trial in single) or 1.0
    columns = (
        Column("layer", lambda trial: next(iter(trial.layers))),
        Column("precision", lambda trial: next(iter(trial.layers.values()))),
        TIMES,
        Column("SNR dB", "snr_db", "{:.1f}"),
        Column("worst output", "worst"),
        Column("noise", lambda trial: max(trial.noise.values()) / power, "{:.0%}"),
    )
    return Table(f"{member.member}: layers", columns, single, (ALONE,))


def _elsewhere(trial: Trial) -> float | None:
    return trial.likely_db if trial.likely_db < EXACT_DB else None


def _chart(member: MemberTrials, budget_db: float) -> Chart:
    """Every trial that is no infinity."""
    shown = [trial for trial in member.trials if trial.snr_db < inf]
    edge = [trial for trial in member.front if trial in shown]
    tried, front = Key("tried", "●", GREY), Key("front", "●", COLOURS[0])
    traces = [
        _points(shown, tried, 7, "markers"),
        _points(edge, front, 9, "lines+markers"),
        _points([member.choice], front, 15, "markers"),
    ]
    budget = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": budget_db, "y1": budget_db}
    return chart(
        member.member,
        traces,
        340,
        (f"dashed: the budget of {budget_db:g} dB",),
        xaxis=axis("times as fast as the base"),
        yaxis=axis("SNR of the worst output, dB"),
        shapes=[{**budget, "line": {"color": GREY, "dash": "dash", "width": 1}}],
    )


def _points(trials: list[Trial], key: Key, size: int, mode: str) -> Trace:
    times, errors = [1 / trial.ratio for trial in trials], [trial.snr_db for trial in trials]
    texts = [
        label(f"{x:.2f}x, {y:.1f} dB", plan_text(trial.layers))
        for x, y, trial in zip(times, errors, trials, strict=True)
    ]
    return points(key, times, errors, texts, mode, size=size)
