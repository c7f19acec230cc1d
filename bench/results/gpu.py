"""Everything that only a GPU can answer, in one command that needs no network.

Run as ``python -m bench.results.gpu FOLDER``; ``--minutes`` ends it in time, with what there is by
then. Measures the matrix, runs the tests that need a GPU, and tries which engines load here; writes
``FOLDER/<gpu>-<date>.json`` after every row, and ``.html``, ``.md`` and ``.csv`` after every part.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bench import record_json
from bench.cell.group import Partial, Phase, Step
from bench.cell.ledger import Ledger
from bench.machine.roofline import NO_GPU, measure_ceilings, measure_gpu_ceilings
from bench.machine.survey import this_machine, usable_cores
from bench.records import SCHEMA, Report, Result, Skipped
from bench.render.saved import files, why_no_html
from bench.render.views import report as view
from bench.results.clock import Clock
from bench.results.gpu_matrix import CELL_SECONDS, PARTS, Part, plan_of
from bench.results.gpu_questions import asked_apart
from bench.results.gpu_tests import run_gpu_tests
from bench.suite import sweep
from export import atomic
from export.gpu import Gpu, find_gpu
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source
from hifigan_ref.version import VERSION

TEST_SECONDS = 900.0
QUESTION_SECONDS = 300.0


def results_of(part: Part, limit: float, timeout: float, ledger: Ledger) -> Iterator[Step]:
    """Measure one part."""
    return sweep(plan_of(part, limit, timeout), Source(), ledger)


def file_stem(gpu: Gpu, day: datetime) -> str:
    """``nvidia-h200-2026-01-02``."""
    name = re.sub(r"[^a-z0-9]+", "-", gpu.name.lower()).strip("-")
    return f"{name}-{day:%Y-%m-%d}"


def save(report: Report, stem: Path) -> None:
    """Every view, or all but the HTML where nothing draws it."""
    made = files(view.document(report), report, html=why_no_html() is None)
    atomic.write_all({_file(stem, f".{end}"): content for end, content in made.items()})


def save_record(report: Report, stem: Path) -> None:
    """The record alone: views of many rows take seconds of a machine that is lent for minutes."""
    atomic.write(_file(stem, ".json"), record_json.dump(report))


def _file(stem: Path, suffix: str) -> Path:
    return stem.with_name(f"{stem.name}{suffix}")  # a name may have dots of its own


def empty_report(notes: tuple[str, ...]) -> Report:
    """This machine and its ceilings, without a row."""
    ceilings, of_gpu = measure_ceilings(usable_cores()), measure_gpu_ceilings()
    return Report(
        schema=SCHEMA,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tool=f"hifi-export {VERSION}",
        machine=this_machine(),
        ceiling=ceilings[0],
        sample_rate=audio.speech().rate,
        notes=notes,
        results=(),
        gpu_ceiling=of_gpu[0] if of_gpu else NO_GPU,
        ceilings=ceilings + of_gpu,
    )


def measure_all(stem: Path, report: Report, limit: float, clock: Clock) -> Report:
    """Measure part after part until all are done or the time is over, saving as it goes."""
    ledger = Ledger(_file(stem, ".jsonl"))
    ledger.resume()
    for number, part in enumerate(PARTS, 1):
        # no answer is waited for when nobody is there to take it
        timeout = max(1.0, min(CELL_SECONDS, clock.left))
        for step in results_of(part, limit, timeout, ledger.within(part.name)):
            news = step.result if isinstance(step, Partial) else step
            typer.echo(news.label if isinstance(news, Phase) else f"  {_told(news)}", err=True)
            if isinstance(news, Result):
                report = replace(report, results=(*report.results, news))
                save_record(report, stem)
            if not clock.left:
                note = f"ended after {clock.minutes:g} minutes in part {number} of {len(PARTS)}"
                report = with_notes(report, note)
                save(report, stem)
                return report
        save(report, stem)
    return report


def with_notes(report: Report, *notes: str) -> Report:
    """The report with more of them."""
    return replace(report, notes=(*report.notes, *notes))


def tests_told(seconds: float) -> tuple[str, ...]:
    """As the answers to questions are."""
    return (run_gpu_tests(seconds),)


def in_time_left(
    what: str, clock: Clock, most: float, ask: Callable[[float], tuple[str, ...]]
) -> tuple[str, ...]:
    """Notes of something that may take its time, or that there was none left."""
    if not clock.left:
        return (f"{what}: not run, no time was left",)
    typer.echo(what, err=True)
    return ask(min(most, clock.left))


def _told(result: Result) -> str:
    found = result.measurement
    told = found.reason if isinstance(found, Skipped) else f"{1e3 * found.median:.3f} ms"
    return f"{result.backend}: {told}"


def main(
    folder: Annotated[Path, typer.Argument(help="Where the results go.")],
    minutes: Annotated[float, typer.Option(help="When to end.")] = 60,
    limit: Annotated[float, typer.Option(help="Seconds of sampling per row.")] = 3,
    tests: Annotated[bool, typer.Option(help="Run the tests that need a GPU too.")] = True,
) -> None:
    """Measure the matrix, then run the GPU tests and answer the open questions."""
    try:
        gpu = find_gpu()
    except HifiError as error:
        typer.echo(f"error: {error}: run this on a machine with a GPU", err=True)
        raise typer.Exit(1) from None
    clock = Clock(minutes)
    stem = folder / file_stem(gpu, datetime.now(UTC))
    no_html = why_no_html()
    report = empty_report((str(gpu), *([f"no HTML: {no_html}"] if no_html else [])))
    save(report, stem)
    report = measure_all(stem, report, limit, clock)
    if tests:
        told = in_time_left("tests that need a GPU", clock, TEST_SECONDS, tests_told)
        report = with_notes(report, *told)
        save_record(report, stem)
    told = in_time_left("questions about engines", clock, QUESTION_SECONDS, asked_apart)
    save(with_notes(report, *told), stem)
    typer.echo(f"{stem}.md; beside it .json, .csv{'' if no_html else ' and .html'}")


if __name__ == "__main__":
    typer.run(main)
