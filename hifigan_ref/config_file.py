"""Hyper-parameters out of a project's own configuration file, by what kind of file it is.

1. jik876's ``config_v1.json``: a flat object, whose keys are those of ``settings``.
2. VITS's ``ljs_base.json``: an object whose ``model`` and ``data`` are objects; what a text encoder
   and a flow are made of is not the decoder's.
3. transformers' ``config.json`` of ``SpeechT5HifiGan`` and its like: a flat object with
   ``model_in_dim``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hifigan_ref.errors import HifiError, in_one_line, nearest
from hifigan_ref.hyperparameters import HyperParameters
from hifigan_ref.settings import DEPTHS, SPEAKER, checked

Content = Mapping[str, Any]
KEYS = {key: key for key in DEPTHS if key != SPEAKER}
MODEL, DATA = "model", "data"
HOP = "hop"


@dataclass(frozen=True)
class Kind:
    """A project's file.

    Attributes:
        keys: settings, and the hop, by what the file calls them.
        unused: what it holds of training and of other parts.
        fixed: the only value that a key may have.
    """

    keys: Mapping[str, str]
    unused: frozenset[str]
    fixed: Mapping[str, Any] = field(default_factory=dict)


JIK876 = Kind(
    {**KEYS, "hop_size": HOP},
    frozenset(
        {"num_gpus", "batch_size", "learning_rate", "adam_b1", "adam_b2", "lr_decay", "seed"}
        | {"segment_size", "num_freq", "n_fft", "win_size", "fmin", "fmax"}
        | {"fmax_for_loss", "num_workers", "dist_config"}
    ),
)
VITS = Kind(
    {
        **{key: key for key in KEYS if key not in {"num_mels", "sampling_rate"}},
        "inter_channels": "num_mels",
    },
    frozenset(
        {"hidden_channels", "filter_channels", "n_heads", "n_layers", "kernel_size", "p_dropout"}
        | {"n_layers_q", "use_spectral_norm", "use_sdp", "spk_embed_dim"}
    ),
)
VITS_DATA = {"sampling_rate": "sampling_rate", "hop_length": HOP}  # others are of the training
TRANSFORMERS = Kind(
    {
        **{key: key for key in KEYS if key not in {"num_mels", "resblock", "gin_channels"}},
        "model_in_dim": "num_mels",
    },
    frozenset(
        {"initializer_range", "architectures", "model_type", "transformers_version", "torch_dtype"}
        | {"dtype", "_name_or_path", "chunk_size_feed_forward", "id2label", "label2id"}
        | {"is_encoder_decoder", "output_attentions", "output_hidden_states", "problem_type"}
        | {"return_dict", "_commit_hash"}
    ),
    {"leaky_relu_slope": 0.1, "normalize_before": True},
)


def read_config(path: Path) -> dict[str, Any]:
    """Settings of a project's file.

    Raises:
        HifiError: it cannot be read, or holds a key or a value that is not known.
    """
    where = f"--config {path}"
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise HifiError(f"{where} cannot be read: {in_one_line(error)}") from None
    if not isinstance(content, dict):
        raise HifiError(f"{where} holds no object: give a file like config_v1.json")
    if isinstance(content.get(MODEL), dict):
        found = _read(f"{where}: {MODEL}", VITS, content[MODEL])
        data = content.get(DATA)
        if isinstance(data, dict):
            told = {key: each for key, each in data.items() if key in VITS_DATA}
            found |= _read(f"{where}: {DATA}", Kind(VITS_DATA, frozenset()), told)
    elif "model_in_dim" in content:
        found = _read(where, TRANSFORMERS, content)
    else:
        found = _read(where, JIK876, content)
    return _without_hop(where, found)


def _read(where: str, kind: Kind, content: Content) -> dict[str, Any]:
    found = {}
    for key, value in content.items():
        if key in kind.unused:
            continue
        if key in kind.fixed:
            if value != kind.fixed[key]:
                raise HifiError(
                    f"{where}: {key} is {json.dumps(value)[:80]}, these networks are of "
                    f"{json.dumps(kind.fixed[key])} alone: give a checkpoint of such a one"
                )
        elif key not in kind.keys:
            raise HifiError(
                f"{where}: there is no hyper-parameter {key!r}: {nearest(key, kind.keys)}"
                f"choose from {', '.join(kind.keys)}"
            )
        elif kind.keys[key] == HOP:
            found[HOP] = (key, value)
        else:
            found[kind.keys[key]] = checked(where, kind.keys[key], value, key)
    return found


def _without_hop(where: str, found: dict[str, Any]) -> dict[str, Any]:
    """Raises HifiError where the hop is not what the rates make."""
    (key, hop), rates = found.pop(HOP, (HOP, None)), found.get("upsample_rates")
    made = None if rates is None else HyperParameters.product(rates)
    if hop is not None and made not in {None, hop}:
        raise HifiError(
            f"{where}: {key} is {json.dumps(hop)[:80]}, the product of upsample_rates is {made}: "
            "they must be the same"
        )
    return found
