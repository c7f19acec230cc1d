"""What a tuner found: in the terminal, as Markdown, as HTML and as JSON."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from rich.console import Console
from rich.text import Text

from bench import schema_1
from bench.choice import has_lowering
from bench.hole import Skipped
from bench.records import Result
from bench.render import as_parity
from bench.render.as_html import Section, page
from bench.render.as_html import sections as report_sections
from bench.render.as_markdown import section, warning
from bench.render.as_table import draw, warn
from bench.render.charts import COLOURS, GREY, Chart, Key, figure
from bench.render.context import context, machine_lines, warnings
from bench.render.names import outputs_name, shape_name
from bench.render.speedups import median_of, times_of, worst_of
from bench.render.table import EMPTY, Table, milliseconds
from bench.tune.records import LayerTrials, Step, Trial, Tuning
from bench.tune.run import PEER, Tuned
from export import atomic
from export.artifact import read_file
from hifigan_ref.errors import HifiError

TITLE = "hifi-bench tune"
PLAIN = "plain"
GAINS = "Each layer alone in the runtime: as exported, and in the form that the plan has for it."
OTHER = "a layer alone; the plan may differ, because layer times do not simply add"
ALL = "all: over the plain graph; the plan is kept where the 95 % interval lies below 1"
_TUNING = TypeAdapter(Tuning)


def save(tuned: Tuned, folder: Path) -> str:
    """Write every view, print the tables, and tell where the report is."""
    content = {
        "tune.html": _html(tuned),
        "tune.md": markdown(tuned).encode(),
        "tune.json": dump(tuned.tuning),
    }
    atomic.write_all({folder / name: each for name, each in content.items()})
    print_tuned(tuned)
    names = ", ".join(file.path.name for file in tuned.files)
    return f"plan: {folder / 'plan.json'}; {names}; report: {folder / 'tune.html'}"


def dump(tuning: Tuning) -> bytes:
    """Every number."""
    return to_json(tuning, indent=1, inf_nan_mode="strings") + b"\n"


def load(path: Path) -> Tuning:
    """What ``dump`` wrote.

    Raises:
        HifiError: the file is missing, truncated, or of another version.
    """
    try:
        return _TUNING.validate_json(schema_1.upgraded(read_file(path), schema_1.of_search))
    except ValidationError:
        raise HifiError(f"{path} is no tuning of this version: tune again") from None


def print_tuned(tuned: Tuned, console: Console | None = None) -> None:
    """The comparison, the plan, and the verdict, on standard output unless told otherwise."""
    console = console or Console()
    warn(_warnings(tuned.tuning), console)
    for table in (*speeds(tuned.tuning.results), chosen(tuned.tuning)):
        draw(table, console)
    for line in context(tuned.report):
        console.print(Text(line, style="dim"))
    for report in tuned.parities:
        style = "bold" if report.passed else "bold red"
        console.print(Text(as_parity.verdict(report), style=style))


def markdown(tuned: Tuned) -> str:
    """A page."""
    tuning = tuned.tuning
    tables = (*speeds(tuning.results), chosen(tuning), whole(tuning), *map(tried, tuning.layers))
    facts = (*map(as_parity.verdict, tuned.parities), *context(tuned.report))
    heading = f"# {TITLE}: {tuning.backend}"
    lines = "\n".join(f"- {line}" for line in facts)
    warned = map(warning, _warnings(tuning))
    return "\n\n".join([heading, *warned, lines, *map(section, tables)]) + "\n"


def brief(tuning: Tuning) -> str:
    """The comparison and every layer, for a page about something else."""
    tables = (*speeds(tuning.results), winners(tuning))
    load = f"{shape_name(tuning.sizes)}, outputs: {outputs_name(tuning.views)}"
    facts = (
        f"{tuning.backend} in {tuning.precision}, {load}, threads: {tuning.threads}",
        *machine_lines(tuning.machine),
        f"{tuning.tool}, {tuning.created}",
    )
    lines = "\n".join(f"- {fact}" for fact in facts)
    warned = map(warning, _warnings(tuning))
    return "\n\n".join([*warned, *(section(table, "###") for table in tables), lines]) + "\n"


def _warnings(tuning: Tuning) -> tuple[str, ...]:
    return warnings([tuning.others, *(result.others for result in tuning.results)])


def speeds(results: Sequence[Result]) -> tuple[Table, ...]:
    """How many times as fast as PyTorch and as the plain file: together, and each network."""
    groups = groupby(results, key=lambda result: result.workload.variant)
    networks = {name: {_role(row): (row,) for row in rows} for name, rows in groups}
    apart = tuple(_speeds(name, rows) for name, rows in networks.items())
    if len(networks) < 2:
        return apart
    first, *others = networks.values()
    shared = [role for role in first if all(role in each for each in others)]
    together = {role: sum((each[role] for each in networks.values()), ()) for role in shared}
    return (_speeds(" + ".join(networks), together), *apart) if together else apart


def _speeds(name: str, rows: Mapping[str, tuple[Result, ...]]) -> Table:
    load = next(iter(rows.values()))[0].workload
    title = f"{name}, {shape_name(load.sizes)}: how many times as fast"
    header = ("backend", "median ms", "times torch", "times plain", "SNR dB")
    lines = [
        (
            row[0].backend if role == PLAIN else role,
            median_of(row),
            times_of(rows.get(PEER, ()), row),
            times_of(rows.get(PLAIN, ()), row),
            worst_of(row),
        )
        for role, row in rows.items()
    ]
    return Table(title, header, tuple(lines))


def _role(row: Result) -> str:
    """Which of the three it is; an interrupted run lacks some."""
    if row.backend == PEER:
        return PEER
    return "tuned" if has_lowering(row.backend) else PLAIN


def winners(tuning: Tuning) -> Table:
    """Every layer: the fastest form that is exact enough, alone, and what the plan has for it."""
    header = ("layer", "problem", "plain ms", "fastest alone", "ms", "gain", "in the plan")
    rows = []
    for layer in tuning.layers:
        best = layer.contenders(tuning.floor_db)[0]
        gain = layer.plain.median / best.median
        forms = dict.fromkeys(tuning.plan.get(name, "plain") for name in layer.names)
        rows.append(
            (
                ", ".join(layer.names),
                layer.geometry,
                milliseconds(layer.plain.median),
                best.form,
                milliseconds(best.median),
                f"{gain:.2f}x",
                ", ".join(forms),
            )
        )
    return Table("Layers", header, tuple(rows), (OTHER,))


def chosen(tuning: Tuning) -> Table:
    """Every layer whose form is not the plain one."""
    header = ("layer", "form", "plain ms", "ms", "gain", "FLOPs", "SNR dB", "forms")
    rows = []
    for layer in tuning.layers:
        for name in layer.names:
            form = tuning.plan.get(name)
            if form is not None:
                rows.append((name, *_gain(layer, layer.trial(form))))
    return Table("The plan", header, tuple(rows), (OTHER,) if rows else ("every layer is plain",))


def _gain(layer: LayerTrials, trial: Trial) -> tuple[str, ...]:
    ran = sum(1 for each in layer.trials if each.seconds)
    gain = layer.plain.median / trial.median
    flops = f"{trial.flops / layer.plain.flops:.2f}x"
    ratio = EMPTY if isinstance(trial.snr_db, Skipped) else f"{trial.snr_db:.0f}"
    times = (milliseconds(layer.plain.median), milliseconds(trial.median), f"{gain:.2f}x")
    return (trial.form, *times, flops, ratio, str(ran))


def whole(tuning: Tuning) -> Table:
    """What was tried on whole graphs."""
    header = ("network", "layer", "form", "time over the best before", "kept")
    rows = tuple(map(_step, tuning.steps))
    return Table("On whole graphs", header, rows, (ALL,) if rows else ())


def _step(step: Step) -> tuple[str, ...]:
    kept = "yes" if step.kept else "no"
    return (step.member, step.layer or "all", step.form, f"{step.ratio:.3f}", kept)


def tried(layer: LayerTrials) -> Table:
    """Every form of a layer, the fastest first."""
    header = ("form", "ms", "gain", "GFLOP", "MB", "SNR dB")
    rows = []
    for trial in sorted(layer.trials, key=lambda each: each.median):
        known = bool(trial.seconds)
        ratio = trial.snr_db
        rows.append(
            (
                trial.form,
                milliseconds(trial.median) if known else EMPTY,
                f"{layer.plain.median / trial.median:.2f}x" if known else EMPTY,
                f"{trial.flops / 1e9:.3f}",
                f"{trial.bytes / 1e6:.1f}",
                ratio.reason if isinstance(ratio, Skipped) else f"{ratio:.0f}",
            )
        )
    return Table(f"{', '.join(layer.names)}: {layer.geometry}", header, tuple(rows))


def _html(tuned: Tuned) -> bytes:
    tuning = tuned.tuning
    facts = (*map(as_parity.verdict, tuned.parities), *context(tuned.report))
    sections = (
        Section("Speed", tables=speeds(tuning.results)),
        Section("Plan", GAINS, (_chart(tuning),), tables=(chosen(tuning), whole(tuning))),
        Section("Forms tried", folded=tuple(map(tried, tuning.layers))),
        *report_sections(tuned.report),
    )
    title = f"{TITLE}: {tuning.backend}"
    return page(title, tuning.tool, facts, sections, _warnings(tuning))


def _chart(tuning: Tuning) -> Chart:
    """Two bars for each layer, in the order of the graph."""
    import plotly.graph_objects as go

    layers = {name: layer for layer in tuning.layers for name in layer.names}
    names = sorted(layers, key=lambda name: -layers[name].plain.median)
    names = [name for name in names if name in tuning.plan]
    forms = [tuning.plan[name] for name in names]
    plain = [1e3 * layers[name].plain.median for name in names]
    tuned = [1e3 * layers[n].trial(f).median for n, f in zip(names, forms, strict=True)]
    looks = (Key("as exported", "■", GREY), Key("tuned", "■", COLOURS[0]))
    traces = [
        go.Bar(
            y=names,
            x=times,
            text=texts,
            textposition="outside",
            cliponaxis=False,
            orientation="h",
            name=look.name,
            legendgroup=look.name,
            marker={"color": look.colour},
            hovertemplate="%{y}: %{x:.2f} ms %{text}<extra></extra>",
        )
        for look, times, texts in zip(
            looks, (plain, tuned), ([""] * len(names), forms), strict=True
        )
    ]
    drawn = figure(
        traces,
        80 + 34 * max(1, len(names)),
        margin={"l": 130, "r": 60, "t": 12, "b": 46},
        barmode="group",
        xaxis={"title": {"text": "ms"}},
        yaxis={"autorange": "reversed"},
    )
    return Chart("Layers of the plan", drawn, looks)
