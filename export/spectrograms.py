"""Inputs of a graph that are log-mel spectrograms: the graph itself says by which recipe."""

import json
from dataclasses import asdict

import onnx_ir as ir

from hifigan_ref.errors import HifiError
from hifigan_ref.mel import Mel

KEY = "hifi-export.mel"  # among the metadata of an input


def say(value: ir.Value, recipe: Mel | None) -> None:
    """Write into an input how it is made of a waveform; nothing where it is no spectrogram."""
    if recipe is not None:
        value.metadata_props[KEY] = json.dumps(asdict(recipe))


def recipe_of(value: ir.Value) -> Mel | None:
    """How an input is made of a waveform; None where the graph does not say.

    Raises:
        HifiError: what it says is no recipe.
    """
    text = value.metadata_props.get(KEY)
    if text is None:
        return None
    try:
        return Mel(**json.loads(text))
    except (ValueError, TypeError):
        raise HifiError(
            f"input {value.name} says {text[:80]!r} of its {KEY}, which is no recipe: export again"
        ) from None
