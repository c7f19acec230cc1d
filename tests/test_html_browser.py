"""The HTML report in a browser: charts drawn, no errors, nothing asked for, nothing cut off."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.records import Ceiling, Report
from bench.render.formats import html_page
from bench.render.views.report import document
from fakes import WORKLOAD, fake_report, fake_result

if TYPE_CHECKING:
    from playwright.sync_api import Page

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium: apt-get install chromium")

PATIENCE = 60_000  # milliseconds that a loaded machine may take
TOLD = """() => {
  const all = (what) => [...document.querySelectorAll(what)];
  const right = (each) => each.getBoundingClientRect().right;
  return {
    widest: Math.max(...all("h1, h2, p, .chart, .scroll").map(right)),
    scrolled: document.documentElement.scrollWidth,
    inner: innerWidth,
    paper: getComputedStyle(document.body).backgroundColor,
    chart: document.querySelector(".chart .main-svg").style.background,
    text: all(".chart .annotation-text").map((each) => each.textContent),
  };
}"""


@dataclass(frozen=True)
class Theme:
    """How a reader has set up the browser.

    Attributes:
        scheme: "light" or "dark".
        width: of the window in pixels.
        paper: the colour the page then has.
    """

    scheme: str
    width: int
    paper: str


LIGHT = Theme("light", 400, "rgb(255, 255, 255)")
DARK = Theme("dark", 1280, "rgb(21, 24, 28)")


@contextmanager
def opened(report: Report, folder: Path, theme: Theme) -> Iterator[Page]:
    from playwright.sync_api import sync_playwright

    path = folder / "page.html"
    path.write_bytes(html_page.dump(document(report)))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, timeout=PATIENCE)
        settings: dict[str, Any] = {
            "viewport": {"width": theme.width, "height": 900},
            "color_scheme": theme.scheme,
        }
        page = browser.new_page(**settings)
        page.set_default_timeout(PATIENCE)
        page.goto(path.as_uri())
        yield page
        assert [each.text for each in page.console_messages()] == []
        assert [each.message for each in page.page_errors()] == []
        assert [each.url for each in page.requests()] == [path.as_uri()]
        browser.close()


def report_of_everything() -> Report:
    name = "<script>alert(1)</script> & torch-cuda-compile:mode=max-autotune-no-cudagraphs"
    loads = [replace(WORKLOAD, sizes={**WORKLOAD.sizes, "batch": batch}) for batch in (1, 4)]
    single = fake_result(name, (0.1,) * 9, workload=replace(WORKLOAD, variant="msd-0"))
    rows = [fake_result(each, (0.1,) * 9, workload=load) for load in loads for each in ("a", name)]
    counted = [replace(row, bytes_moved=10**9) for row in (*rows, single)]
    ceiling = Ceiling(100.0, 2048, 1, gb_per_second=10.0)
    return replace(fake_report(*counted), ceiling=ceiling)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_a_page_is_drawn_in_its_theme(tmp_path: Path, theme: Theme) -> None:
    with opened(report_of_everything(), tmp_path, theme) as page:
        charts = page.locator(".chart").all()
        assert len(charts) == 9
        for chart in charts:
            chart.scroll_into_view_if_needed()
            chart.locator(".main-svg .xy").first.wait_for(state="attached")
        told = page.evaluate(TOLD)
    assert told["paper"] == told["chart"] == theme.paper
    assert max(told["scrolled"], told["widest"]) <= told["inner"]
    assert any("<script>alert(1)</script>" in text for text in told["text"])


def test_charts_far_below_the_window_wait(tmp_path: Path) -> None:
    with opened(report_of_everything(), tmp_path, DARK) as page:
        page.locator(".chart .main-svg").first.wait_for(state="attached")
        assert page.locator(".chart").last.locator(".main-svg").count() == 0


def test_a_key_hides_its_traces_and_shows_them_again(tmp_path: Path) -> None:
    from playwright.sync_api import expect

    with opened(report_of_everything(), tmp_path, DARK) as page:
        figure = page.locator("figure").first
        lines = figure.locator(".scatterlayer .trace")
        lines.first.wait_for(state="attached")
        drawn = lines.count()
        key = figure.get_by_role("button").first
        key.click()
        expect(lines).not_to_have_count(drawn, timeout=PATIENCE)
        assert lines.count() > 0
        assert key.get_attribute("aria-pressed") == "false"
        key.click()
        expect(lines).to_have_count(drawn, timeout=PATIENCE)
        assert key.get_attribute("aria-pressed") == "true"
