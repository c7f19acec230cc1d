"""Refusing shapes that cannot be computed here, before the machine is brought to its knees."""

from hifigan_ref.errors import HifiError

# The smallest network's outputs hold 69 floats for each sample of its input, PyTorch's beside them.
BYTES_PER_SAMPLE = 2 * 69 * 4


def demand(batch: int, samples: int) -> None:
    """Raises HifiError where the feature maps of such a batch exceed the machine's memory."""
    import psutil

    needed = batch * samples * BYTES_PER_SAMPLE
    there = psutil.virtual_memory().total
    if needed > there:
        raise HifiError(
            f"{batch} x {samples} samples need at least {needed / 1e9:.0f} GB to be checked, this "
            f"machine has {there / 1e9:.0f} GB: choose a smaller batch or fewer samples"
        )
