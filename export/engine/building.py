"""Building an engine: parse, configure, build; every message of the library is kept until then."""

import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Any

from export.engine.library import Library
from export.engine.log import logger
from export.engine.optimisation import Profile
from export.engine.precision import check_precision
from export.engine.request import EngineRequest
from export.engine.watch import Watch, monitor_of
from hifigan_ref.errors import HifiError

POLL_SECONDS = 0.1
MIB = 2**20


def build_engine(
    content: bytes,
    request: EngineRequest,
    profile: Profile,
    library: Library,
    watch: Watch,
) -> bytes:
    """The serialized engine of an ONNX file.

    The build runs in a thread of its own, so that Ctrl-C is heard: it ends the build at its next
    step and is raised again.

    Args:
        content: of the ONNX file.
        request: of this library.
        profile: shapes of every input.
        library: that builds.
        watch: told of every step.

    Raises:
        HifiError: the library refuses the file (node and reason) or cannot build it.
    """
    cancelled = threading.Event()
    log = logger(library)
    log.clear()
    with ThreadPoolExecutor(1) as pool:
        monitor = monitor_of(library, watch, cancelled)
        future = pool.submit(_build, content, request, profile, library, log, monitor)
        try:
            while True:
                try:
                    return future.result(POLL_SECONDS)
                except NotYet:
                    if future.done():
                        raise
        except BaseException:
            cancelled.set()
            raise


def _build(
    content: bytes,
    request: EngineRequest,
    profile: Profile,
    library: Library,
    log: Any,
    monitor: Any,
) -> bytes:
    trt = library.module
    builder = trt.Builder(log)
    if not builder:
        raise HifiError(f"{library} cannot start: {log.reason()}")
    network = builder.create_network(_creation_flags(library))
    _parse(content, network, library, log)
    check_precision(content, network, library)
    config = builder.create_builder_config()
    _configure(config, request, library)
    shapes = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        named = [
            tensor.get_dimension_name(place) if length < 0 else length
            for place, length in enumerate(tensor.shape)
        ]
        shapes.set_shape(tensor.name, *profile.shapes(named))
    if config.add_optimization_profile(shapes) < 0:
        raise HifiError(f"{library} refuses the profile {profile.options()}: {log.reason()}")
    config.progress_monitor = monitor
    cache = _timing_cache(config, request)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise HifiError(f"{library} cannot build an engine: {log.reason()}")
    if cache is not None and request.timing_cache is not None:
        from export import atomic

        atomic.write(request.timing_cache, bytes(config.get_timing_cache().serialize()))
    return bytes(plan)


def _creation_flags(library: Library) -> int:
    """Strong typing: precision lives in the graph. A flag in TensorRT 10, all there is in 11."""
    flag = getattr(library.module.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _parse(content: bytes, network: Any, library: Library, log: Any) -> None:
    parser = library.module.OnnxParser(network, log)
    if parser.parse(content):
        return
    told = [_parser_error(parser.get_error(index)) for index in range(parser.num_errors)]
    raise HifiError(f"{library} cannot read the graph: {'; '.join(told) or log.reason()}")


def _parser_error(error: Any) -> str:
    """Node, operator and reason in one line."""
    reason = " ".join(str(error.desc()).split())
    node, operator = error.node_name(), error.node_operator()
    return f"node {node or error.node()} ({operator}): {reason}" if operator else reason


def _configure(config: Any, request: EngineRequest, library: Library) -> None:
    trt = library.module
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if not request.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if request.workspace_mib is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, request.workspace_mib * MIB)
    if request.opt_level is not None:
        config.builder_optimization_level = request.opt_level
    if request.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    if request.hardware_compatible:
        config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
    if request.targets:
        config.num_compute_capabilities = len(request.targets)
        for index, target in enumerate(request.targets):
            config.set_compute_capability(trt.ComputeCapability.__members__[target.upper()], index)


def _timing_cache(config: Any, request: EngineRequest) -> Any:
    """The file's timings, or an empty start where there is no file yet."""
    if request.timing_cache is None:
        return None
    try:
        content = request.timing_cache.read_bytes()
    except FileNotFoundError:
        content = b""
    except OSError as error:
        raise HifiError(f"--timing-cache {request.timing_cache}: {error.strerror}") from None
    cache = config.create_timing_cache(content)
    if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
        raise HifiError(
            f"--timing-cache {request.timing_cache} is of another version or GPU: give another file"
        )
    return cache
