"""What every backend promises, asked of each one that is found in ``bench/backends/``."""

import gc
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import judge
from bench.backend import Backend, Case, Session, backends, find, lacking
from bench.backends.torch_compile import TorchCompile
from bench.precisions import precisions_of
from bench.records import Parity, Result, Skipped, Workload
from cli import bench_main
from export.cache import cached_export
from export.optional import why_missing
from export.precision.budget import PRECISIONS
from export.request import ExportRequest, views_of
from fakes import run_main
from hifigan_ref import audio
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

# Inductor's own imports warn.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")

BUDGET = PRECISIONS["fp32"].budget_db
ROOT = Path(__file__).parent.parent
SAMPLES = 1024
THREADS = 2
MUST_RUN = ("torch", "ort-cpu", "openvino")
# half a minute for each new case: one is enough
COMPILES_FOR_LONG = ("torch-compile", "torch-cuda-compile")

everyone = pytest.mark.parametrize("backend", backends().values(), ids=backends().keys())
quick = pytest.mark.parametrize(
    "backend",
    [pytest.param(b, id=name) for name, b in backends().items() if name not in COMPILES_FOR_LONG],
)


@pytest.fixture(autouse=True, scope="module")
def own_threads() -> Iterator[None]:
    """PyTorch's number of threads is the process's; leave it as it was."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def case(
    trained: Trained,
    outputs: str = "all",
    pair: bool = False,
    batch: int = 2,
    threads: int = THREADS,
    first: int = 0,
) -> Case:
    """Speech for one network; ``first`` picks another stretch of it."""
    request = ExportRequest(Variant("mpd", "11"), views=views_of(outputs, pair))
    load = Workload(
        "mpd-11",
        precision="fp32",
        source="clip",
        weights=trained.origin,
        threads=threads,
        sizes={"batch": batch, "samples": SAMPLES},
        views=views_of(outputs, pair),
    )
    inputs = {
        name: audio.clip().batch(batch, SAMPLES, first + i * batch)
        for i, name in enumerate(request.inputs)
    }
    artifact = cached_export(request, trained.origin, lambda _: trained)
    return Case(load, request, lambda: trained, artifact, inputs, flops=1)


def skip_if_missing(backend: Backend) -> None:
    reason = backend.missing()
    if reason is not None:
        assert backend.name not in MUST_RUN, reason
        pytest.skip(reason)


def prepare(backend: Backend, case: Case) -> Session:
    """With the default of each option."""
    _, options = find(backend.name)
    return backend.prepare(replace(case, options=options))


def check(session: Session, case: Case) -> dict[str, np.ndarray]:
    """Run once; the outputs are the reference's in name, order, shape, type and value."""
    session.run()
    session.wait()
    outputs = session.outputs()
    expected = judge.reference(case.trained, case.request, case.inputs)
    assert list(outputs) == list(expected.exact)
    assert {n: a.shape for n, a in outputs.items()} == {
        n: a.shape for n, a in expected.exact.items()
    }
    assert {array.dtype for array in outputs.values()} == {np.dtype(np.float32)}
    found = judge.compare(expected, outputs, BUDGET)
    assert found.passed, found.worst
    return {name: array.copy() for name, array in outputs.items()}


# Each by itself


def test_names_are_unique_and_stay() -> None:
    """Names stand in reports and command lines: none may change, more may come."""
    assert {"torch", "torch-folded", "torch-compile", "ort-cpu", "openvino"} <= set(backends())
    assert list(backends()) == [backend.name for backend in backends().values()]
    declared = [b.name for m in modules() for b in getattr(m, "BACKENDS", ())]
    assert sorted(declared) == sorted(backends()), "two backends share a name"


def modules() -> list[object]:
    import importlib
    import pkgutil

    import bench.backends as package

    found = pkgutil.iter_modules(package.__path__)
    return [importlib.import_module(f"bench.backends.{info.name}") for info in found]


def test_backends_are_found_where_no_runtime_is_installed() -> None:
    blocked = ("onnxruntime", "openvino", "tensorrt", "torch")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked}))\n"
        "from bench.backend import backends; print(*backends())"
    )
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.split() == list(backends())


def test_pytorch_comes_first() -> None:
    assert next(iter(backends())) == "torch"


@everyone
def test_a_name_can_be_typed_and_a_purpose_is_a_line(backend: Backend) -> None:
    assert backend.name == backend.name.lower().strip()
    assert not set(backend.name) & set(" |,[]'\"\n")
    assert len(backend.name) < 20, "the column of hifi-bench list"
    assert backend.purpose.strip() and "\n" not in backend.purpose


@everyone
def test_options_can_be_typed_and_have_a_default(backend: Backend) -> None:
    names = [option.name for option in backend.options]
    assert len(set(names)) == len(names)
    for option in backend.options:
        assert option.meaning.strip() and "\n" not in option.meaning
        assert len(set(option.allowed)) == len(option.allowed) > 1, "one value is no option"
        for text in (option.name, *option.allowed):
            assert text and not set(text) & set(" |,[]=:'\"\n")
        for value in option.allowed:
            _, found = find(f"{backend.name}:{option.name}={value}")
            assert found == {o.name: o.allowed[0] for o in backend.options} | {option.name: value}


@everyone
def test_what_is_missing_is_said_with_what_to_install(backend: Backend) -> None:
    reason = backend.missing()
    assert reason == backend.missing()
    if reason is not None:
        assert "install" in reason and "\n" not in reason


@pytest.mark.parametrize("name", MUST_RUN)
def test_these_run_everywhere(name: str) -> None:
    assert backends()[name].missing() is None


def test_no_compiler_is_said_with_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor import cpp_builder
    from torch._inductor.exc import InvalidCxxCompiler

    def fail() -> str:
        raise InvalidCxxCompiler

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", fail)
    reason = TorchCompile().missing()
    assert reason is not None and "install g++" in reason


def test_a_library_that_is_not_there_is_said_with_the_command() -> None:
    reason = why_missing("no_such_library", "pip install no-such-library")
    assert reason is not None
    assert "no_such_library" in reason and "pip install no-such-library" in reason
    assert why_missing("json", "nothing") is None


def test_a_library_that_breaks_on_import_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Numpy and onnxruntime explain a failed import at length."""

    def fail(name: str) -> None:
        raise ImportError(f"DLL load failed while importing {name}:\n\n  * read this\n")

    monkeypatch.setattr("importlib.import_module", fail)
    reason = why_missing("onnxruntime", "pip install onnxruntime")
    assert reason is not None and "pip install onnxruntime" in reason
    assert "\n" not in reason


RAISED: list[tuple[Exception, str]] = [
    (ModuleNotFoundError("No module named 'openvino'"), "No module named 'openvino'"),
    (OSError("libtbb.so.12: cannot open\nshared object file"), "libtbb.so.12: cannot open"),
    (RuntimeError("Could not determine home directory."), "RuntimeError: Could not determine"),
    (KeyError("getpwuid(): uid not found: 54321"), "KeyError: 'getpwuid(): uid not found: 54321'"),
    (AttributeError("numpy has no float"), "AttributeError: numpy has no float"),
    (AssertionError(), "(AssertionError)"),
    (SyntaxError("invalid syntax"), "SyntaxError: invalid syntax"),
]


@pytest.mark.parametrize(("error", "told"), RAISED, ids=lambda each: type(each).__name__)
def test_whatever_an_import_raises_is_a_reason(
    monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def fail(_: str) -> None:
        raise error

    monkeypatch.setattr("importlib.import_module", fail)
    reason = why_missing("openvino", "pip install openvino")
    assert reason is not None and told in reason and "\n" not in reason
    assert reason.endswith(": pip install openvino")


def test_whatever_a_backend_raises_when_asked_what_it_lacks_is_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two distributions of onnxruntime leave an empty package where one of them is removed."""
    import onnxruntime

    monkeypatch.delattr(onnxruntime, "get_available_providers")
    reason = lacking(backends()["ort-cuda"])
    assert reason is not None and "\n" not in reason
    assert reason.startswith("ort-cuda cannot say what it lacks (AttributeError: ")
    told = run_main(bench_main, "list")
    assert told.code == 0 and "mend that, or install its libraries anew" in told.out


def test_an_interrupted_import_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("importlib.import_module", interrupt)
    with pytest.raises(KeyboardInterrupt):
        why_missing("openvino", "pip install openvino")


HOMELESS = """
import os, pwd, sys
def unknown(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")
pwd.getpwuid = unknown
os.environ.pop("HOME", None)
import cli
sys.argv = ["hifi-bench", *sys.argv[1:]]
cli.bench_main()
"""


@pytest.mark.parametrize("command", ["list", "doctor"])
def test_a_user_without_a_home_is_told_what_runs(command: str) -> None:
    """As in a container that is given an arbitrary user: OpenVINO looks for a home folder."""
    ran = subprocess.run(
        [sys.executable, "-c", HOMELESS, command], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr
    told = " ".join(ran.stdout.split())
    assert "ort-cpu runs here" in told
    found = "openvino cannot be imported (RuntimeError: Could not determine home directory.): "
    assert found + "set HOME to a folder that you may write" in told or "openvino runs here" in told


# A session


@dataclass(frozen=True)
class Prepared:
    case: Case
    session: Session
    settings: dict[str, str]


@pytest.fixture(scope="module")
def sessions() -> Iterator[dict[str, Prepared]]:
    """Sessions that were prepared, by backend; made when first asked for."""
    made: dict[str, Prepared] = {}
    yield made
    for prepared in made.values():
        prepared.session.close()


@pytest.fixture
def prepared(backend: Backend, mpd_11: Trained, sessions: dict[str, Prepared]) -> Prepared:
    skip_if_missing(backend)
    if backend.name not in sessions:
        chosen = case(mpd_11)
        session = prepare(backend, chosen)
        session.run()
        session.wait()
        sessions[backend.name] = Prepared(chosen, session, session.settings())
    return sessions[backend.name]


@everyone
def test_outputs_are_the_references(prepared: Prepared) -> None:
    check(prepared.session, prepared.case)


@everyone
def test_a_second_run_says_the_same(prepared: Prepared) -> None:
    once = check(prepared.session, prepared.case)
    again = check(prepared.session, prepared.case)
    for name, array in once.items():
        np.testing.assert_array_equal(again[name], array)


@everyone
def test_new_inputs_are_run_once_they_are_loaded(prepared: Prepared, mpd_11: Trained) -> None:
    session, before = prepared.session, prepared.case
    other = case(mpd_11, first=20)
    once = check(session, before)
    session.load(other.inputs)
    for name, array in check(session, other).items():
        assert not np.array_equal(array, once[name]), name
    session.load(before.inputs)
    for name, array in check(session, before).items():
        np.testing.assert_array_equal(array, once[name])


@everyone
def test_what_was_asked_is_what_ran(prepared: Prepared) -> None:
    check(prepared.session, prepared.case)
    claims = prepared.session.proof()
    assert len({claim.what for claim in claims}) == len(claims)
    for claim in claims:
        assert claim.holds, claim
        assert claim.what.strip() and claim.asked.strip() and claim.found.strip()


@everyone
def test_the_stream_picks_the_clock(prepared: Prepared) -> None:
    assert prepared.session.stream is None or prepared.session.stream >= 0


@everyone
def test_settings_are_read_back(prepared: Prepared) -> None:
    assert prepared.settings["threads"] == str(THREADS)
    for key, value in prepared.settings.items():
        assert key.strip() and isinstance(value, str) and value.strip(), key
        assert "\n" not in key + value


@quick
@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_those_asked_for(backend: Backend, mpd_11: Trained, threads: int) -> None:
    skip_if_missing(backend)
    session = prepare(backend, case(mpd_11, threads=threads))
    session.run()
    session.wait()
    assert session.settings()["threads"] == str(threads)
    session.close()


@quick
def test_every_precision_is_what_ran_or_is_invalid(
    backend: Backend, row_of: Callable[[str], Result]
) -> None:
    skip_if_missing(backend)
    for precision in precisions_of(backend).allowed[1:]:
        row = row_of(f"{backend.name}:precision={precision}")
        assert row.workload.precision == precision
        if isinstance(row.measurement, Skipped) and "this CPU has no" in row.measurement.reason:
            continue
        if row.broken:
            assert isinstance(row.measurement, Skipped), "no speed"
            assert row.measurement.reason.startswith("INVALID: ")
            continue
        assert isinstance(row.parity, Parity), row.measurement
        assert row.parity.budget_db == PRECISIONS[precision].budget_db  # type: ignore[index]
        assert 10 < row.parity.worst.snr_db < 90, "fewer bits are less exact"
        assert row.parity.worst.torch_snr_db < 90
        assert row.proof


@quick
def test_two_sessions_have_inputs_of_their_own(backend: Backend, mpd_11: Trained) -> None:
    skip_if_missing(backend)
    cases = [case(mpd_11, first=first) for first in (0, 20)]
    sessions = [prepare(backend, each) for each in cases]
    outputs = [check(s, c) for s, c in zip(sessions, cases, strict=True)]
    for name in outputs[0]:
        assert not np.array_equal(outputs[0][name], outputs[1][name]), name
    check(sessions[0], cases[0])
    for session in sessions:
        session.close()


@quick
@pytest.mark.parametrize("outputs", ["all", "scores"])
@pytest.mark.parametrize("pair", [False, True], ids=["alone", "pair"])
def test_every_kind_of_workload(
    backend: Backend, mpd_11: Trained, outputs: str, pair: bool
) -> None:
    skip_if_missing(backend)
    chosen = case(mpd_11, outputs, pair, batch=1)
    session = prepare(backend, chosen)
    found = check(session, chosen)
    assert len(found) == (7 if outputs == "all" else 1) * (2 if pair else 1)
    if pair:
        assert not np.array_equal(found["score_real"], found["score_fake"])
    session.close()


@quick
def test_a_closed_session_keeps_nothing_alive(backend: Backend, mpd_11: Trained) -> None:
    """Neither its inputs while somebody still holds it, nor itself when nobody does."""
    skip_if_missing(backend)
    chosen = case(mpd_11)
    wave = weakref.ref(chosen.inputs["y"])
    session = prepare(backend, chosen)
    check(session, chosen)
    session.close()
    del chosen
    gc.collect()
    assert wave() is None
    gone = weakref.ref(session)
    del session
    gc.collect()
    assert gone() is None


@quick
def test_a_session_does_not_change_the_network(backend: Backend, mpd_11: Trained) -> None:
    from hifigan_ref.trained import state_digest

    skip_if_missing(backend)
    session = prepare(backend, case(mpd_11))
    session.run()
    session.wait()
    session.close()
    assert state_digest(mpd_11.module) == mpd_11.digest
