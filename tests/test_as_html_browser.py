"""The HTML report in a browser: charts drawn, no errors, nothing asked for, nothing cut off."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from bench.records import Ceiling, Report
from bench.render import as_html
from bench.testing import WORKLOAD, fake_report, fake_result

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium: apt-get install chromium")

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--enable-logging=stderr",
)
SCHEMES = {"dark": 0, "light": 1}
FIRST = """<script>
const told = { errors: [], blocked: [] };
addEventListener("error", (event) => told.errors.push(event.message));
addEventListener("securitypolicyviolation", (event) => told.blocked.push(event.blockedURI));
</script>"""
LAST = """<script>
setTimeout(() => {
  const all = (what) => [...document.querySelectorAll(what)];
  const style = getComputedStyle(document.body);
  told.charts = all(".chart").length;
  told.drawn = all(".chart").filter((div) => div.querySelector(".main-svg .xy")).length;
  const right = (each) => each.getBoundingClientRect().right;
  told.widest = Math.max(...all("h1, h2, p, .chart, .scroll").map(right));
  told.scrolled = document.documentElement.scrollWidth;
  told.inner = innerWidth;
  told.paper = style.backgroundColor;
  told.chart = document.querySelector(".chart .main-svg").style.background;
  told.text = all(".chart .annotation-text").map((each) => each.textContent);
  told.requests = performance.getEntriesByType("resource").map((each) => each.name);
  document.documentElement.dataset.told = JSON.stringify(told);
}, 4000);
</script>"""


@dataclass(frozen=True)
class Seen:
    """What a browser made of a page.

    Attributes:
        told: by the page itself.
        log: of the browser.
    """

    told: dict[str, Any]
    log: str


def look(report: Report, folder: Path, scheme: str, width: int) -> Seen:
    page = as_html.dump(report).decode()
    page = page.replace("<head>", f"<head>{FIRST}", 1).replace("</body>", f"{LAST}</body>")
    path = folder / "page.html"
    path.write_text(page)
    flags = (
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={width},12000",
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        "--virtual-time-budget=8000",
    )
    command = [str(BROWSER), *QUIET, *flags, "--dump-dom", path.as_uri()]
    ran = subprocess.run(command, capture_output=True, check=True, text=True, timeout=200)
    found = re.search(r'data-told="([^"]*)"', ran.stdout)
    assert found, ran.stderr
    return Seen(json.loads(unescape(found[1])), ran.stderr)


def report_of_everything() -> Report:
    name = "<script>alert(1)</script> & torch-cuda-compile:mode=max-autotune-no-cudagraphs"
    loads = [replace(WORKLOAD, batch=batch) for batch in (1, 4)]
    single = fake_result(name, (0.1,) * 9, workload=replace(WORKLOAD, variant="msd-0"))
    rows = [fake_result(each, (0.1,) * 9, workload=load) for load in loads for each in ("a", name)]
    counted = [replace(row, bytes_moved=10**9) for row in (*rows, single)]
    ceiling = Ceiling(100.0, 2048, 1, gb_per_second=10.0)
    return replace(fake_report(*counted), ceiling=ceiling)


@pytest.mark.parametrize(
    ("scheme", "width", "paper"),
    [("light", 400, "rgb(255, 255, 255)"), ("dark", 1280, "rgb(21, 24, 28)")],
)
def test_a_page_is_drawn_in_its_theme(tmp_path: Path, scheme: str, width: int, paper: str) -> None:
    seen = look(report_of_everything(), tmp_path, scheme, width)
    told = seen.told
    assert told["errors"] == told["blocked"] == told["requests"] == []
    assert ":CONSOLE" not in seen.log
    assert told["drawn"] == told["charts"] == 9
    assert told["paper"] == told["chart"] == paper
    assert max(told["scrolled"], told["widest"]) <= told["inner"]
    assert any("<script>alert(1)</script>" in text for text in told["text"])
