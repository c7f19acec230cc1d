"""Put measured results between a page's markers, so that no number is copied by hand.

Run as ``python -m bench.results.readme README.md``. A block ``<!-- results:NAME -->`` to
``<!-- /results -->`` is filled from ``docs/results/NAME.md``, or from the report in
``docs/results/NAME/``; a block ``<!-- tuning:NAME -->`` to ``<!-- /tuning -->`` from what a tuner
left in ``docs/results/tune/NAME/``; a block ``<!-- mixed:NAME -->`` to ``<!-- /mixed -->`` from a
search in ``docs/results/mixed/NAME/``; a block ``<!-- streaming:NAME -->`` to
``<!-- /streaming -->`` from what chunks cost in ``docs/results/streaming/NAME/``. Where nothing is
there, a block names what fills it.
"""

import re
import sys
from pathlib import Path

from bench.record_json import mixing_at, report_at, streaming_at, tuning_at
from bench.render.formats.markdown_page import brief
from bench.render.views import mixed, report, streaming, tuning
from export import atomic

RESULTS = Path("docs/results")
KINDS = "results|tuning|mixed|streaming"
BLOCK = re.compile(
    rf"(<!-- (?P<kind>{KINDS}):(?P<name>[\w-]+) -->\n).*?(<!-- /(?P=kind) -->)",
    re.DOTALL,
)


def fill(page: str, results: Path) -> str:
    """The page with every block filled from a folder of results."""
    return BLOCK.sub(lambda match: f"{match[1]}\n{_block(match, results)}\n{match[4]}", page)


def _block(match: re.Match[str], results: Path) -> str:
    name = match["name"]
    if match["kind"] == "tuning":
        return _tuning(name, results)
    if match["kind"] == "mixed":
        return _mixed(name, results)
    if match["kind"] == "streaming":
        return _streaming(name, results)
    record, page = results / name / "report.json", results / f"{name}.md"
    if record.exists():
        return brief(report.document(report_at(record)))
    if page.exists():
        return page.read_text()
    return _missing(f"`hifi-bench` with `--out {RESULTS / name}`, or the target of make for it")


def _tuning(name: str, results: Path) -> str:
    path = results / "tune" / name / "tune.json"
    if path.exists():
        return brief(tuning.brief(tuning_at(path)))
    return _missing(f"`hifi-bench tune --backend {name} --out {RESULTS / 'tune' / name}`")


def _mixed(name: str, results: Path) -> str:
    path = results / "mixed" / name / "mixed.json"
    if path.exists():
        return brief(mixed.brief(mixing_at(path)))
    out = RESULTS / "mixed" / name
    return _missing(f"`make precision-cpu`, or `hifi-export onnx --precision mixed` to {out}")


def _streaming(name: str, results: Path) -> str:
    path = results / "streaming" / name / "stream.json"
    if path.exists():
        return brief(streaming.document(streaming_at(path)))
    out = RESULTS / "streaming" / name
    return _missing(f"`make bench-stream`, or `hifi-bench stream` with `--out {out}`")


def _missing(command: str) -> str:
    return f"Not measured yet: {command}, then `python -m bench.results.readme` on this page.\n"


def main(path: Path) -> None:
    """Fill one file."""
    atomic.write(path, fill(path.read_text(), RESULTS).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
