"""What a process has used."""

import resource
import sys


def peak_memory_bytes() -> int:
    """The largest resident memory of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
