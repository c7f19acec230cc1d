"""Which provider of onnxruntime runs each node of a session."""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bench.records import Claim

if TYPE_CHECKING:
    import onnxruntime

# (provider, type of node) -> how many
Placement = Mapping[tuple[str, str], int]

RECORD = "session.record_ep_graph_assignment_info"


def remember(options: "onnxruntime.SessionOptions", session: type) -> None:
    """Have a session tell its placement: as it was assigned, or in older versions as profiled."""
    if hasattr(session, "get_provider_graph_assignment_info"):
        options.add_session_config_entry(RECORD, "1")
    else:
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(tempfile.mkdtemp()) / "profile")


def placement(session: "onnxruntime.InferenceSession") -> Placement:
    """Of a session that has run once; a profile ends here, so that it slows no later pass."""
    if hasattr(session, "get_provider_graph_assignment_info"):
        parts = session.get_provider_graph_assignment_info()
        return Counter((part.ep_name, node.op_type) for part in parts for node in part.get_nodes())
    profile = Path(session.end_profiling())
    try:
        return _profiled(profile)
    finally:
        shutil.rmtree(profile.parent)


def claim(provider: str, found: Placement) -> Claim:
    """Every node is on the provider, and there are some."""
    total = sum(found.values())
    elsewhere = {key: count for key, count in sorted(found.items()) if key[0] != provider}
    told = f"{total - sum(elsewhere.values())} of {total} nodes"
    told += "".join(f", {count} {op} on {where}" for (where, op), count in elsewhere.items())
    return Claim("node placement", f"every node on {provider}", told, bool(total and not elsewhere))


def _profiled(profile: Path) -> Placement:
    events = [event for event in json.loads(profile.read_text()) if event.get("cat") == "Node"]
    kernels = [event for event in events if event["name"].endswith("_kernel_time")]
    # a node has an event for each pass
    nodes = {event["name"]: event["args"] for event in kernels}
    return Counter((args["provider"], args["op_name"]) for args in nodes.values())
