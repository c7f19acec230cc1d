"""A generator with other hyper-parameters than its own."""

from collections.abc import Iterator
from dataclasses import replace

from hifigan_ref.errors import HifiError
from hifigan_ref.hyperparameters import HyperParameters
from hifigan_ref.settings import SPEAKER, Settings
from hifigan_ref.vocoder import Vocoder

FEWEST = {1: 3, 2: 2}  # dilations of a block, of which jik876's code reads so many


def changed(base: Vocoder, settings: Settings) -> Vocoder:
    """The network of some settings; its name holds those that differ.

    Raises:
        HifiError: the hyper-parameters contradict each other, or a speaker is chosen of none.
    """
    own = {**vars(base.held), "num_mels": base.held.bins, "sampling_rate": base.rate}
    told = {key: value for key, value in settings.values.items() if own.get(key) != value}
    settings, values = Settings(base.name, told), dict(told)
    speaker, rate = values.pop(SPEAKER, None), values.pop("sampling_rate", base.rate)
    if "num_mels" in values:
        values["bins"] = values.pop("num_mels")
    held = replace(base.held, **values)
    dilations = held.resblock_dilation_sizes
    if held.resblock in FEWEST:
        few = tuple(each[: FEWEST[held.resblock]] for each in dilations)
        held = replace(held, resblock_dilation_sizes=few)
    _check(str(settings), held)
    if speaker is not None:
        if not held.gin_channels:
            raise HifiError(f"{base.name} has no speakers: leave out --speaker")
        held = replace(held, gin_channels=0)
    return replace(base, name=str(settings), held=held, rate=rate, speaker=speaker)


def _check(name: str, held: HyperParameters) -> None:
    """Raises HifiError for a generator that cannot be, or whose audio has another length."""
    for fault in (*_blocks(held), *_steps(held)):
        raise HifiError(f"{name}: {fault}")


def _blocks(held: HyperParameters) -> Iterator[str]:
    sizes, dilations = held.resblock_kernel_sizes, held.resblock_dilation_sizes
    if held.resblock not in FEWEST:
        yield f"resblock is {held.resblock}: choose 1 or 2"
    elif any(len(each) < FEWEST[held.resblock] for each in dilations):
        yield f"resblock {held.resblock} has {FEWEST[held.resblock]} dilations in each block"
    if len(sizes) != len(dilations):
        yield (
            f"{len(sizes)} resblock_kernel_sizes and {len(dilations)} resblock_dilation_sizes: "
            "give as many"
        )
    for each in sizes:
        if each % 2 == 0:
            yield f"resblock_kernel_sizes has {each}, which shortens its input: choose odd ones"


def _steps(held: HyperParameters) -> Iterator[str]:
    rates, taps = held.upsample_rates, held.upsample_kernel_sizes
    if len(rates) != len(taps):
        yield f"{len(rates)} upsample_rates and {len(taps)} upsample_kernel_sizes: give as many"
    dilations = (d for each in held.resblock_dilation_sizes for d in each)
    if min((*rates, held.bins, held.upsample_initial_channel, *dilations)) < 1:
        yield "a rate, a dilation or a number of channels is 0: choose 1 or more"
    for i, (u, k) in enumerate(zip(rates, taps, strict=False)):
        if k < u or (k - u) % 2:
            yield (
                f"ups.{i} has {k} taps at a rate of {u}, which does not make {u} samples of each: "
                "choose taps from the rate up, by an even number"
            )
    if held.upsample_initial_channel % 2**held.steps:
        yield (
            f"upsample_initial_channel {held.upsample_initial_channel} is halved {held.steps} "
            f"times: choose a multiple of {2**held.steps}"
        )
