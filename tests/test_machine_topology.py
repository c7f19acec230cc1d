"""Cores behind a set of CPUs: as Linux tells them, or by the usual numbering."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from bench.machine import topology
from bench.machine.topology import cores_of


def show(root: Path, cores: Iterable[Iterable[int]], name: str = "core_cpus_list") -> None:
    """Write what the system tells: which CPUs share each core."""
    for core in cores:
        told = ",".join(map(str, core))
        for cpu in core:
            folder = root / f"cpu{cpu}" / "topology"
            folder.mkdir(parents=True)
            (folder / name).write_text(told + "\n")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(topology, "CPUS", tmp_path)
    return tmp_path


PAIRS = [(2 * core, 2 * core + 1) for core in range(8)]  # both threads of a core are neighbours
APART = [(core, core + 8) for core in range(8)]  # the second threads follow all first ones
HYBRID = [*PAIRS, *((cpu,) for cpu in range(16, 32))]  # 8 fast cores of two threads, 16 others
MASKS: list[tuple[Sequence[Sequence[int]], Sequence[int], int]] = [
    (HYBRID, range(32), 24),
    (HYBRID, range(16), 8),
    (HYBRID, range(16, 32), 16),
    (HYBRID, range(0, 16, 2), 8),
    (HYBRID, (3, 4, 5, 20), 3),
    (APART, range(16), 8),
    (APART, range(8), 8),
    (APART, (0, 8), 1),
    (PAIRS, range(8), 4),
    (PAIRS, range(0, 16, 2), 8),
    (PAIRS, (5,), 1),
    ([(0, 1, 2, 3), (4, 5, 6, 7)], range(2, 6), 2),  # four threads a core
]


@pytest.mark.parametrize("name", ["core_cpus_list", "thread_siblings_list"])
@pytest.mark.parametrize(("cores", "mask", "expected"), MASKS)
def test_cores_are_counted_by_the_siblings_of_each_cpu(
    root: Path,
    cores: Sequence[Sequence[int]],
    mask: Sequence[int],
    expected: int,
    name: str,
) -> None:
    show(root, cores, name)
    assert cores_of(mask, 1, 1) == expected, "what else is told of the machine is not asked"


@pytest.mark.parametrize(
    ("physical", "logical", "mask", "expected"),
    [
        (24, 32, range(16), 8),
        (24, 32, range(16, 32), 16),
        (24, 32, range(0, 16, 2), 8),
        (24, 32, range(32), 24),
        (8, 16, range(8), 8),
        (8, 16, range(16), 8),
        (8, 16, (0, 8), 1),
        (4, 4, range(1, 3), 2),
        (2, 4, (60, 61, 62, 63), 2),  # a container that counts its own CPUs alone
        (4, 2, range(2), 2),  # and one where the two counts disagree
    ],
)
@pytest.mark.usefixtures("root")
def test_the_usual_numbering_stands_in(
    physical: int, logical: int, mask: Iterable[int], expected: int
) -> None:
    assert cores_of(list(mask), logical, physical) == expected


def test_a_topology_of_some_cpus_alone_is_none(root: Path) -> None:
    show(root, [(0, 1)])
    assert cores_of(range(4), 4, 4) == 4
