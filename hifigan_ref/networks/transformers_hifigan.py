"""Generators as transformers has them: V1 and its like, whose input is brought to mean 0 first.

Source: ``SpeechT5HifiGan`` and ``FastSpeech2ConformerHifiGan`` of huggingface/transformers
(Apache-2.0), with the hyper-parameters that their configurations begin with. Their classes take
(batch, frames, bins); here it is (batch, bins, frames), as in the other generators.
"""

from dataclasses import replace

from hifigan_ref.networks.generator import V1
from hifigan_ref.vocoder import Vocoder

FASTSPEECH2 = replace(V1, standardized=True)
SPEECHT5 = replace(FASTSPEECH2, upsample_rates=(4, 4, 4, 4), upsample_kernel_sizes=(8, 8, 8, 8))

NETWORKS = (
    Vocoder("fastspeech2-hifigan", FASTSPEECH2),
    Vocoder("speecht5-hifigan", SPEECHT5, rate=16000),
)
