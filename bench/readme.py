"""Put measured results between a page's markers, so that no number is copied by hand.

Run as ``python -m bench.readme README.md``. A block ``<!-- results:NAME -->`` to
``<!-- /results -->`` is filled from ``docs/results/NAME.md``, or from the report in
``docs/results/NAME/``.
"""

import re
import sys
from pathlib import Path

from bench.render import as_json
from bench.render.as_markdown import brief
from export import atomic

RESULTS = Path("docs/results")
BLOCK = re.compile(r"(<!-- results:(\w+) -->\n).*?(<!-- /results -->)", re.DOTALL)


def fill(page: str, results: Path) -> str:
    """The page with every block filled from a folder of results."""
    return BLOCK.sub(lambda match: f"{match[1]}\n{_block(results / match[2])}\n{match[3]}", page)


def _block(path: Path) -> str:
    if path.is_dir():
        return brief(as_json.load(path / "report.json"))
    return path.with_suffix(".md").read_text()


def main(path: Path) -> None:
    """Fill one file."""
    atomic.write(path, fill(path.read_text(), RESULTS).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
