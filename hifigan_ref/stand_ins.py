"""What training scripts keep beside the weights, read as inert stand-ins.

PyTorch's ``weights_only`` unpickler refuses a file for one ``numpy.int64`` or one
``argparse.Namespace``. It takes a table of what to put in the place of a name: here never the class
or function of that name, which would be fed from the file, but a thing that forgets what it is
given. Nothing is imported or called because a file names it.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable

import numpy as np

_NUMBER = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")


class Inert:
    """Stands for an object of which nothing is kept."""

    def __init__(self, *_: object) -> None:
        """Takes whatever the object was made of."""

    def __setstate__(self, _: object) -> None:
        """Takes whatever the object held."""


class Dtype:
    """Stands for a ``numpy.dtype``, of which the number's type and byte order are kept."""

    def __init__(self, code: object, *_: object) -> None:
        self.code = str(code)

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple) and len(state) > 1:
            self.code = f"{state[1]}{self.code}"


def number(dtype: object, content: object = b"", *_: object) -> int | float | bool | None:
    """A NumPy scalar as a number of Python's; None where it is no number."""
    if not isinstance(dtype, Dtype) or not isinstance(content, bytes):
        return None
    if not _NUMBER.fullmatch(dtype.code) or len(content) != np.dtype(dtype.code).itemsize:
        return None
    found: int | float | bool = np.frombuffer(content, dtype.code).item()
    return found


def mapping(*_: object) -> OrderedDict[object, object]:
    """An empty dict of any kind; the unpickler fills it."""
    return OrderedDict()


def sequence(items: Iterable[object] = (), *_: object) -> list[object]:
    """A list for what is not a list."""
    return list(items) if isinstance(items, list | tuple) else []


_BUILTINS = (  # a defaultdict's factories, and what has no form of its own in a pickle
    *("bool", "bytes", "dict", "float", "frozenset", "int", "list", "object", "range", "slice"),
    *("str", "tuple"),
)
_PATHS = ("Path", "PosixPath", "PurePosixPath", "PureWindowsPath", "WindowsPath")
# Module -> names of which nothing is needed.
_INERT = {
    "argparse": ("Namespace",),
    "types": ("SimpleNamespace",),
    "pathlib": _PATHS,
    "pathlib._local": _PATHS,  # of Python 3.13
    "datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "uuid": ("UUID",),
    "builtins": _BUILTINS,
    "numpy": ("ndarray",),
    "numpy.core.multiarray": ("_reconstruct",),
    "numpy._core.multiarray": ("_reconstruct",),  # of NumPy 2
    "torch.torch_version": ("TorchVersion",),
}

STAND_INS: dict[str, Callable[..., object]] = {
    **{f"{module}.{name}": Inert for module, names in _INERT.items() for name in names},
    "collections.defaultdict": mapping,
    "collections.deque": sequence,
    "env.AttrDict": OrderedDict,  # jik876/hifi-gan's own, of the configuration
    "numpy.dtype": Dtype,
    "numpy.core.multiarray.scalar": number,
    "numpy._core.multiarray.scalar": number,
}
