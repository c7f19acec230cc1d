"""Manifests of schema 1, whose networks all took one waveform (N, 1, T), read as of today."""

from collections.abc import Mapping
from typing import Any

SCHEMA = 1


def upgraded(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a manifest of any schema that is known, in today's.

    Raises:
        KeyError: it lacks what its schema says.
    """
    found = dict(record)
    if found.get("schema") != SCHEMA:
        return found
    found["schema"] = SCHEMA + 1
    lengths = {name: found.pop(name) for name in ("batch", "samples")}
    found["sizes"] = {name: length for name, length in lengths.items() if length is not None}
    found["smallest"] = _smallest(found.pop("min_samples"))
    asked = {"scores": found.pop("output_choice") == "scores", "pair": found.pop("pair")}
    found["views"] = [view for view, there in asked.items() if there]
    found["verified"] = [
        {"runtime": each["runtime"], "version": each["version"]}
        | {"smallest": _smallest(each["min_samples"])}
        for each in found.get("verified", ())
    ]
    return found


def _smallest(samples: int) -> dict[str, int]:
    return {"batch": 1, "samples": samples}
