"""From a wish to a record: the files, the race, and how many signals at once."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bench.bar import Doing
from bench.cell.turn import turn
from bench.hardware import Others
from bench.hole import Skipped
from bench.machine.busy import Meter
from bench.machine.survey import this_machine
from bench.proof import demand
from bench.stream.caller import Outputs, heard, open_caller
from bench.stream.feed import worst_db
from bench.stream.files import File, files_of
from bench.stream.race import Racer, keeps_up, race, sustained
from bench.stream.whole_signal import Signal, signal_of
from bench.stream.wish import Wish
from bench.streaming_record import SCHEMA, Row, Streaming
from bench.timing.measure import no_collection
from hifigan_ref.errors import HifiError, named
from hifigan_ref.network import BATCH
from hifigan_ref.version import VERSION

MOST_STREAMS = 64
LEAST_CALLS = 20  # that decide whether so many streams are sustained
SEED = 0  # of the order in a round


def measure(wish: Wish) -> Iterator[Doing | Streaming]:
    """What is being done, and in the end the record.

    Raises:
        HifiError: an export is refused, or the context is not finite.
    """
    yield Doing(f"{wish.variant}: export", 0, 0)
    signal = signal_of(wish)
    signal.inputs  # noqa: B018 - what does not fit is refused before anything is measured
    files: list[File] = []
    for backend in wish.backends:
        for file in files_of(signal, backend):
            yield Doing(f"{file.label}: export", len(files), 0)
            files.append(file)
    yield Doing("reference in float64", 0, 0)
    signal.exact  # noqa: B018 - PyTorch's threads are at rest when the others begin
    meter = Meter(wish.threads)
    rows: list[Row] = []
    missing: list[str] = []
    with turn(), meter.running(), no_collection():
        for step in _rows(signal, files):
            if isinstance(step, Doing):
                yield step
            elif isinstance(step, Row):
                rows.append(step)
            else:
                missing.append(step)
    yield _record(signal, rows, missing, meter.found())


def _record(
    signal: Signal, rows: list[Row], missing: list[str], others: Others | Skipped
) -> Streaming:
    wish = signal.wish
    return Streaming(
        schema=SCHEMA,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tool=f"hifi-bench {VERSION}",
        machine=this_machine(),
        variant=str(wish.variant),
        unit=signal.unit,
        length=signal.length,
        needed=signal.needed,
        flops_per_element=signal.flops_per_element,
        threads=wish.threads,
        source=signal.source,
        weights=wish.weights.origin,
        rows=tuple(rows),
        missing=tuple(missing),
        others=others,
    )


@dataclass(frozen=True)
class _Entrant:
    """What races, and how exact it is."""

    file: File
    racer: Racer
    snr_db: float


def _rows(signal: Signal, files: list[File]) -> Iterator[Doing | Row | str]:
    """Of every file that runs; of others, why they do not."""
    wish = signal.wish
    entrants: list[_Entrant] = []
    with ExitStack() as stack:
        for place, file in enumerate(files):
            yield Doing(f"{file.label}: warm-up", place, len(files))
            found = _entered(signal, file, stack)
            if isinstance(found, _Entrant):
                entrants.append(found)
            else:
                yield found
        shuffle = random.Random(SEED)  # noqa: S311 - an order, not a secret
        racers = [each.racer for each in entrants]
        for count in range(wish.rounds):
            yield Doing("all in turn", count, wish.rounds)
            race(racers, 1, wish.limits.most / wish.rounds, shuffle)
    for place, each in enumerate(entrants):
        yield Doing(f"{each.file.label}: streams at once", place, len(entrants))
        yield _row(signal, each)


def _entered(signal: Signal, file: File, stack: ExitStack) -> _Entrant | str:
    """A file that is warm and ran as asked, until the stack closes it; or why there is none."""
    try:
        caller = open_caller(signal, file)
        stack.callback(caller.session.close)
        racer = Racer(caller)
        outputs = heard(signal, file, racer.warm_up(signal.wish.limits.warmup))
        demand(*caller.session.proof())
        return _Entrant(file, racer, _snr_db(signal, file, outputs))
    # a runtime fails in types of its own; whatever it says becomes the reason
    except Exception as error:  # noqa: BLE001
        return f"{file.label}: {error if isinstance(error, HifiError) else named(error)}"


def _row(signal: Signal, entrant: _Entrant) -> Row:
    file = entrant.file
    row = Row(
        file.backend,
        file.way,
        file.pace,
        file.flops,
        signal.unit_s,
        tuple(entrant.racer.passes),
        entrant.snr_db,
        file.choice.budget_db(signal.wish.variant) if file.promised else None,
    )
    return replace(row, streams=_streams(signal, file, row))


def _snr_db(signal: Signal, file: File, outputs: Outputs) -> float:
    """Of the worst chunk of the worst output."""
    field = signal.field
    return min(
        worst_db(
            signal.exact[name], found, field.axes[name], int(file.pace.chunk * field.rates[name])
        )
        for name, found in outputs.items()
    )


def _streams(signal: Signal, file: File, row: Row) -> int | Skipped:
    """Most signals as a batch, by powers of two, that are computed as fast as they come."""
    if file.way == "whole":
        return Skipped("the whole signal is no stream")
    if row.unit_s is None:
        return Skipped(f"nobody says how long one of the {signal.unit} lasts")
    if BATCH not in file.request.signature.axes:
        return Skipped("the network takes no batch")
    lasts = row.pace.chunk * row.unit_s
    most = int(keeps_up(row.seconds, lasts))
    while most and most < MOST_STREAMS:
        caller = open_caller(signal, file, 2 * most)
        try:
            if not sustained(caller, lasts, LEAST_CALLS):
                break
        finally:
            caller.session.close()
        most *= 2
    return most
