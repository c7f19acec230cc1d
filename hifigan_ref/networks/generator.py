"""The generators of HiFi-GAN, V1 to V3: from mel spectrograms to audio at 22,050 Hz.

Source: ``config_v1.json`` to ``config_v3.json`` of jik876/hifi-gan (MIT).
"""

from dataclasses import replace

from hifigan_ref.hyperparameters import HyperParameters
from hifigan_ref.vocoder import Vocoder

V1 = HyperParameters(
    resblock=1,
    upsample_rates=(8, 8, 2, 2),
    upsample_kernel_sizes=(16, 16, 4, 4),
    upsample_initial_channel=512,
    resblock_kernel_sizes=(3, 7, 11),
    resblock_dilation_sizes=((1, 3, 5), (1, 3, 5), (1, 3, 5)),
)
V2 = replace(V1, upsample_initial_channel=128)
V3 = HyperParameters(
    resblock=2,
    upsample_rates=(8, 8, 4),
    upsample_kernel_sizes=(16, 16, 8),
    upsample_initial_channel=256,
    resblock_kernel_sizes=(3, 5, 7),
    resblock_dilation_sizes=((1, 2), (2, 6), (3, 12)),
)

NETWORKS = (
    Vocoder("generator-v1", V1),
    Vocoder("generator-v2", V2),
    Vocoder("generator-v3", V3),
)
