"""What a search for precisions found: in the terminal, as Markdown, as HTML and as JSON."""

from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from rich.console import Console
from rich.text import Text

from bench import schema_1
from bench.mix.member import plan_text
from bench.mix.records import MemberTrials, Mixing, Trial
from bench.mix.run import PLAN, Mixed
from bench.render.as_html import Section, page
from bench.render.as_markdown import section, warning
from bench.render.as_table import draw, warn
from bench.render.charts import COLOURS, GREY, Chart, Key, figure
from bench.render.context import machine_lines, warnings
from bench.render.names import outputs_name, shape_name
from bench.render.table import EMPTY, Table, milliseconds
from export import atomic
from export.artifact import read_file
from hifigan_ref.errors import HifiError

TITLE = "hifi-export --precision mixed"
LEAD = (
    "Each point is a member's graph that was built and run: how many times as fast as the base, "
    "and how exact its worst output is. Nothing beats the front in both; the larger point is what "
    "is exported."
)
ALONE = "each layer alone in the precision, the others as the base; noise: its share of the sum"
ELSEWHERE = "elsewhere dB: what other speech hardly leaves, by stretches of the calibration audio"
PROMISE = "in the runtime, on the speech and shape below: run there again, they show this again"
EXACT_DB = 200.0  # nothing was rounded
_MIXING = TypeAdapter(Mixing)


def save(mixed: Mixed, folder: Path, as_json: bool = False) -> str:
    """Write every view; print the tables and tell where the report is, or return the JSON."""
    mixing = mixed.mixing
    content = {
        "mixed.html": _html(mixing),
        "mixed.md": markdown(mixing).encode(),
        "mixed.json": dump(mixing),
    }
    atomic.write_all({folder / name: each for name, each in content.items()})
    if as_json:
        return content["mixed.json"].decode().rstrip()
    print_mixing(mixing)
    names = ", ".join(file.path.name for file in mixed.files)
    return f"plan: {folder / PLAN}; {names}; report: {folder / 'mixed.html'}"


def dump(mixing: Mixing) -> bytes:
    """Every number."""
    return to_json(mixing, indent=1, inf_nan_mode="strings") + b"\n"


def load(path: Path) -> Mixing:
    """What ``dump`` wrote.

    Raises:
        HifiError: the file is missing, truncated, or of another version.
    """
    try:
        return _MIXING.validate_json(schema_1.upgraded(read_file(path), schema_1.of_search))
    except ValidationError:
        raise HifiError(f"{path} is no search of this version: search again") from None


def print_mixing(mixing: Mixing, console: Console | None = None) -> None:
    """The choice of each member, and the front that it is from."""
    console = console or Console()
    warn(warnings([mixing.others]), console)
    for table in (chosen(mixing), *map(front, mixing.members), promised(mixing)):
        draw(table, console)
    for line in facts(mixing):
        console.print(Text(line, style="dim"))


def markdown(mixing: Mixing) -> str:
    """A page."""
    searched = (*map(front, mixing.members), *map(alone, mixing.members))
    tables = (chosen(mixing), promised(mixing), *searched)
    lines = "\n".join(f"- {line}" for line in facts(mixing))
    head = (f"# {TITLE}: {mixing.backend}", *map(warning, warnings([mixing.others])), lines)
    return "\n\n".join([*head, *map(section, tables)]) + "\n"


def brief(mixing: Mixing) -> str:
    """The choice and the promises, for a page about something else."""
    lines = "\n".join(f"- {line}" for line in facts(mixing))
    tables = (section(table, "###") for table in (chosen(mixing), promised(mixing)))
    warned = map(warning, warnings([mixing.others]))
    return "\n\n".join([*warned, *tables, lines]) + "\n"


def facts(mixing: Mixing) -> tuple[str, ...]:
    """Under which conditions."""
    load = f"{shape_name(mixing.sizes)}, outputs: {outputs_name(mixing.views)}"
    return (
        f"{mixing.backend}, base {mixing.base}, budget {mixing.min_snr_db:g} dB",
        f"{load}, threads: {mixing.threads}, weights: {mixing.weights}",
        f"errors on {mixing.source} beside PyTorch in float64; calibration: {mixing.calibration}",
        *machine_lines(mixing.machine),
        f"{mixing.tool}, {mixing.created}",
    )


def chosen(mixing: Mixing) -> Table:
    """What is exported."""
    header = (
        *("member", "base ms", "times as fast", "SNR dB", "elsewhere dB", "worst output"),
        *("precisions", "tried"),
    )
    rows = [
        (
            each.member,
            milliseconds(each.seconds),
            f"{1 / each.choice.ratio:.2f}x",
            f"{each.choice.snr_db:.1f}",
            _elsewhere(each.choice),
            each.choice.worst,
            _counted(each.choice, mixing.base),
            str(len(each.trials)),
        )
        for each in mixing.members
    ]
    total = sum(each.seconds for each in mixing.members)
    taken = sum(each.seconds * each.choice.ratio for each in mixing.members)
    worst = min(each.choice.snr_db for each in mixing.members)
    tried = sum(len(each.trials) for each in mixing.members)
    least = _elsewhere(min((each.choice for each in mixing.members), key=lambda t: t.likely_db))
    times = (milliseconds(total), f"{total / taken:.2f}x")
    rows.append(("all", *times, f"{worst:.1f}", least, "", "", str(tried)))
    return Table("The plan", header, tuple(rows), (ELSEWHERE,))


def promised(mixing: Mixing) -> Table:
    """How exact each exported file is."""
    header = ("file of", "sha256", "SNR dB", "worst output")
    rows = tuple(
        (
            each.variant,
            each.sha256[:16],
            f"{each.snr_db:.4f}",
            max(each.noise, key=lambda name: each.noise[name]),
        )
        for each in mixing.promises
    )
    return Table("Exported files", header, rows, (PROMISE,))


def front(member: MemberTrials) -> Table:
    """What none beats in both error and time."""
    header = ("times as fast", "SNR dB", "elsewhere dB", "worst output", "exported", "layers")
    rows = tuple(
        (
            f"{1 / trial.ratio:.2f}x",
            f"{trial.snr_db:.1f}",
            _elsewhere(trial),
            trial.worst,
            "yes" if trial is member.choice else "no",
            plan_text(trial.layers).replace("convs.", ""),
        )
        for trial in member.front
    )
    failed = (f"{len(member.failed)} did not run: {member.failed[0]}",) if member.failed else ()
    title = f"{member.member}: Pareto front, layers as numbers of convs"
    return Table(title, header, rows, failed)


def alone(member: MemberTrials) -> Table:
    """How much each layer contributes."""
    header = ("layer", "precision", "times as fast", "SNR dB", "worst output", "noise")
    single = [trial for trial in member.trials[1:] if len(trial.layers) == 1]
    power = sum(max(trial.noise.values()) for trial in single) or 1.0
    rows = tuple(
        (
            *next(iter(trial.layers.items())),
            f"{1 / trial.ratio:.2f}x",
            f"{trial.snr_db:.1f}",
            trial.worst,
            f"{max(trial.noise.values()) / power:.0%}",
        )
        for trial in single
    )
    return Table(f"{member.member}: layers", header, rows, (ALONE,))


def _elsewhere(trial: Trial) -> str:
    return f"{trial.likely_db:.1f}" if trial.likely_db < EXACT_DB else EMPTY


def _counted(trial: Trial, base: str) -> str:
    held = Counter(trial.layers.values())
    return ", ".join(f"{count} {each}" for each, count in held.items()) or f"all {base}"


def _html(mixing: Mixing) -> bytes:
    charts = tuple(_chart(each, mixing.min_snr_db) for each in mixing.members)
    folded = (*map(front, mixing.members), *map(alone, mixing.members))
    sections = (
        Section("Plan", tables=(chosen(mixing), promised(mixing))),
        Section("Error and time", LEAD, charts),
        Section("Layers", folded=folded),
    )
    title = f"{TITLE}: {mixing.backend}"
    return page(title, mixing.tool, facts(mixing), sections, warnings([mixing.others]))


def _chart(member: MemberTrials, budget_db: float) -> Chart:
    """Every trial that is no infinity."""
    shown = [trial for trial in member.trials if trial.snr_db < float("inf")]
    edge = [trial for trial in member.front if trial in shown]
    looks = (Key("tried", "●", GREY), Key("front", "●", COLOURS[0]))
    traces: list[Any] = [_points(shown, looks[0], 7, "markers")]
    traces.append(_points(edge, looks[1], 9, "lines+markers"))
    traces.append(_points([member.choice], looks[1], 15, "markers"))
    drawn = figure(
        traces,
        340,
        xaxis={"title": {"text": "times as fast as the base"}},
        yaxis={"title": {"text": "SNR of the worst output, dB"}},
        shapes=[
            {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": budget_db, "y1": budget_db,
             "line": {"color": GREY, "dash": "dash", "width": 1}}
        ],
    )  # fmt: skip
    return Chart(member.member, drawn, looks, (f"dashed: the budget of {budget_db:g} dB",))


def _points(trials: list[Trial], look: Key, size: int, mode: str) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        x=[1 / trial.ratio for trial in trials],
        y=[trial.snr_db for trial in trials],
        text=[plan_text(trial.layers) for trial in trials],
        mode=mode,
        line={"color": look.colour},
        marker={"color": look.colour, "size": size},
        hovertemplate="%{x:.2f}x, %{y:.1f} dB<br>%{text}<extra></extra>",
        legendgroup=look.name,
    )
