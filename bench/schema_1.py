"""Records of schema 1, whose networks all took waveforms (N, 1, T), read as of today."""

import json
from collections.abc import Callable
from typing import Any

SCHEMA = 1

Record = dict[str, Any]


def upgraded(content: bytes | str, change: Callable[[Record], None]) -> bytes | str:
    """The same JSON in today's schema; as it is where it is of another one, or damaged.

    Args:
        content: JSON of a record, or of a list of them.
        change: what a record of schema 1 needs, in place.
    """
    try:
        found = json.loads(content)
        for record in found if isinstance(found, list) else [found]:
            if record["schema"] == SCHEMA:
                change(record)
                record["schema"] = SCHEMA + 1
    except (ValueError, KeyError, TypeError, AttributeError):
        return content  # whoever reads it says what is wrong
    return json.dumps(found)


def of_report(record: Record) -> None:
    """A report."""
    for result in record["results"]:
        _workload(result["workload"], record["sample_rate"])


def of_search(record: Record) -> None:
    """What a search for forms or precisions found."""
    _views(record)
    _sizes(record)
    for result in record.get("results", ()):
        _workload(result["workload"], 22050)  # such a search heard the shipped clip


def of_parity(record: Record) -> None:
    """A parity report."""
    for case in record["cases"]:
        _sizes(case)


def _workload(load: Record, rate: int) -> None:
    load["audio_seconds"] = load["batch"] * load["samples"] * (2 if load["pair"] else 1) / rate
    _views(load)
    _sizes(load)


def _sizes(record: Record) -> None:
    record["sizes"] = {name: record.pop(name) for name in ("batch", "samples")}


def _views(record: Record) -> None:
    asked = {"scores": record.pop("outputs") == "scores", "pair": record.pop("pair")}
    record["views"] = [view for view, there in asked.items() if there]
