"""Which provider of onnxruntime runs each node of a session, and in which type."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.records import Claim
from export import scratch

if TYPE_CHECKING:
    import onnxruntime

# (provider, type of node) -> how many
Placement = Mapping[tuple[str, str], int]

Event = Mapping[str, Any]

PRECISIONS = {"float": "fp32", "float16": "fp16", "bfloat16": "bf16", "int8": "int8"}
PRECISIONS |= {"uint8": "int8"}
RECORD = "session.record_ep_graph_assignment_info"


@dataclass(frozen=True)
class Seen:
    """What is known of the nodes of a session.

    Attributes:
        placement: who runs them.
        convolutions: how many ran in which precision; none where no trace was asked for.
    """

    placement: Placement
    convolutions: Mapping[str, int]


def remember(options: "onnxruntime.SessionOptions", session: type, types: bool = False) -> None:
    """Have a session tell its placement: as it was assigned, or in older versions as profiled.

    Args:
        options: of the session.
        session: its class.
        types: have it trace its nodes with their types too.
    """
    assigned = hasattr(session, "get_provider_graph_assignment_info")
    if assigned:
        options.add_session_config_entry(RECORD, "1")
    if types or not assigned:
        options.enable_profiling = True
        options.profile_file_prefix = str(scratch.make() / "profile")


def seen(session: "onnxruntime.InferenceSession", types: bool = False) -> Seen:
    """Of a session that has run once, told as it was told to ``remember``.

    A trace ends here, so that it slows no later pass.
    """
    if not hasattr(session, "get_provider_graph_assignment_info"):
        nodes = _traced(session)
        placed = Counter((node["provider"], node["op_name"]) for node in nodes)
        return Seen(placed, _convolutions(nodes) if types else {})
    parts = session.get_provider_graph_assignment_info()
    placed = Counter((part.ep_name, node.op_type) for part in parts for node in part.get_nodes())
    return Seen(placed, _convolutions(_traced(session)) if types else {})


def claim(provider: str, found: Placement) -> Claim:
    """Every node is on the provider, and there are some."""
    total = sum(found.values())
    elsewhere = {key: count for key, count in sorted(found.items()) if key[0] != provider}
    told = f"{total - sum(elsewhere.values())} of {total} nodes"
    told += "".join(f", {count} {op} on {where}" for (where, op), count in elsewhere.items())
    return Claim("node placement", f"every node on {provider}", told, bool(total and not elsewhere))


def _convolutions(nodes: Iterable[Event]) -> Counter[str]:
    """``Conv``, ``FusedConv``, ``QLinearConv``, ``MatMul``...: how many read which type."""
    kinds = (
        next(iter(node["input_type_shape"][0]))
        for node in nodes
        if "Conv" in node["op_name"] or "MatMul" in node["op_name"]
    )
    return Counter(PRECISIONS.get(kind, kind) for kind in kinds)


def _traced(session: "onnxruntime.InferenceSession") -> list[Event]:
    """What is known of each node that ran."""
    profile = Path(session.end_profiling())
    try:
        found = json.loads(profile.read_text())
    finally:
        scratch.remove(profile.parent)
    events = [event for event in found if event.get("cat") == "Node"]
    kernels = [event for event in events if event["name"].endswith("_kernel_time")]
    # a node has an event for each pass
    return list({event["name"]: event["args"] for event in kernels}.values())
