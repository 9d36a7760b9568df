"""Tests the HTML report in a real Chromium."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from browser import chromium
from report.made import HOSTILE, compared, history_of, rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jarvisperf.history.model import History
    from jarvisperf.report.findings.model import Findings

SCREENSHOTS = os.environ.get("JARVISPERF_SCREENSHOTS")
pytestmark = pytest.mark.xdist_group("browser")


def written(findings: Findings, folder: Path, history: History | None = None) -> Path:
    (page,) = rendered(findings, "html", history).values()
    path = folder / "report.html"
    path.write_bytes(page)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    findings = compared(60)
    return written(findings, tmp_path_factory.mktemp("report"), history_of(findings))


class Visit:
    """A page, and all errors on it."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.page = browser.new_page(**options)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def names(self) -> list[str]:
        return self.page.locator("table.main > tbody > tr:visible > td.name > button").all_inner_texts()

    def keep(self, name: str, **options: Any) -> None:
        if SCREENSHOTS:
            self.page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", **options)


@pytest.fixture
def visit(browser: Any, file: Path) -> Iterator[Visit]:
    made = Visit(browser, viewport={"width": 1280, "height": 900})
    made.page.goto(file.as_uri())
    yield made
    assert made.complaints == []
    local = [url for url in made.requests if not url.startswith(("file:", "data:"))]
    assert local == [], "the page asked for something"
    made.page.close()


def test_what_got_slower_is_seen_at_once(visit: Visit):
    heading = visit.page.locator(".verdict-line").inner_text()
    assert heading == "1 of 60 regressed, 1 inconclusive, 1 improved, 57 unchanged; run trusted; 61 s"
    assert "bad" in visit.page.locator(".verdict-line").get_attribute("class")
    assert visit.page.locator("table.main td.verdict").first.inner_text() == "regressed"
    visit.keep("top")


def test_a_name_that_is_a_script_is_text(visit: Visit):
    assert visit.names()[0] == HOSTILE.partition("::")[2]
    assert visit.page.locator("img").count() == 0


def test_a_column_sorts_up_and_down_and_says_so(visit: Visit):
    header = visit.page.locator("th", has_text=re.compile("^ratio$"))
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    ratios = [float(text) for text in visit.page.locator("td[data-label=ratio]").all_inner_texts()]
    assert ratios == sorted(ratios)
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    assert visit.page.locator("td[data-label=ratio]").first.inner_text() == "1.200"


def test_times_sort_by_their_value_and_not_by_their_text(visit: Visit):
    visit.page.get_by_role("button", name="head", exact=True).click()
    values = visit.page.locator("td[data-label=head]").evaluate_all(
        "cells => cells.map(cell => Number(cell.dataset.value))"
    )
    assert values == sorted(values)


def test_a_filter_leaves_what_fits_and_counts_it(visit: Visit):
    visit.page.get_by_label("Filter by name").fill("test_work_1 GROUP")
    assert visit.names() == ["test_work_1[n=1]", *(f"test_work_1{n}[n=1{n}]" for n in range(10))]
    assert visit.page.locator("#shown").inner_text() == "11 of 60 rows shown"
    visit.page.get_by_label("Filter by name").fill("")
    visit.page.get_by_label("Verdict").select_option("improved")
    assert visit.names() == ["test_work_1[n=1]"]


def test_a_benchmark_opens_with_its_pictures_profile_and_history(visit: Visit):
    visit.page.locator("td.name button").first.click()
    detail = visit.page.locator("tr.detail")
    assert detail.locator("svg.plot").count() == 3
    pictures = detail.locator("svg.plot").evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    assert pictures[0].startswith("Distributions. base: median")
    assert pictures[1] == "Ratio head over base 1.200, interval 1.190 to 1.210, threshold 5%"
    assert pictures[2].startswith("History over 40 runs: +50")
    assert "at 000000000014" in detail.locator("li").first.inner_text()
    guilty = detail.locator("tr.guilty td").all_inner_texts()
    assert guilty[:2] == ["work", "pkg/core.py:12"]
    assert detail.locator("svg.flame rect").count() >= 3
    visit.keep("detail", full_page=True)


def test_the_keyboard_is_enough(visit: Visit):
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.textContent") == "Skip to the benchmarks"
    visit.page.locator("td.name button").first.focus()
    visit.page.keyboard.press("Enter")
    assert visit.page.locator("td.name button").first.get_attribute("aria-expanded") == "true"
    visit.page.locator("tr.detail a").first.focus()
    visit.page.keyboard.press("Escape")
    assert visit.page.locator("tr.detail").count() == 0
    assert visit.page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "false"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_follow_the_system_and_the_button(visit: Visit, scheme: str):
    visit.page.emulate_media(color_scheme=scheme)
    colour = "getComputedStyle(document.body).backgroundColor"
    papers = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}
    assert visit.page.evaluate(colour) == papers[scheme]
    visit.page.locator("td.name button").first.click()
    visit.keep(scheme)
    visit.page.get_by_role("button", name="Light or dark").click()
    assert visit.page.evaluate(colour) != papers[scheme]


def test_a_phone_needs_no_scrolling_to_the_side(browser: Any, file: Path):
    visit = Visit(browser, viewport={"width": 375, "height": 800}, is_mobile=True, has_touch=True)
    visit.page.goto(file.as_uri())
    visit.page.locator("td.name button").first.tap()
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 375
    visit.keep("phone")
    visit.page.locator("tr.detail").scroll_into_view_if_needed()
    visit.keep("phone_detail")
    assert visit.complaints == []


def test_on_a_phone_the_rows_are_sorted_by_a_list(browser: Any, file: Path):
    visit = Visit(browser, viewport={"width": 375, "height": 800}, is_mobile=True, has_touch=True)
    visit.page.goto(file.as_uri())
    assert not visit.page.locator("table.main > thead").is_visible()
    first = visit.names()[0]
    visit.page.get_by_label("Sort by").select_option("ratio")
    assert visit.page.locator("td[data-label=ratio]").first.inner_text() == "0.800"
    visit.page.get_by_label("Sort by").select_option(index=0)
    assert visit.names()[0] == first
    assert visit.complaints == []


def test_what_changed_leads_to_its_benchmark_even_where_a_filter_hides_it(visit: Visit):
    lines = visit.page.locator(".changes li")
    assert lines.locator(".words").all_inner_texts() == [
        "regressed 1.200 (1.190 to 1.210)",
        "inconclusive 1.050 (1.040 to 1.060)",
        "improved 0.800 (0.790 to 0.810)",
    ]
    visit.page.get_by_label("Filter by name").fill("test_work_40")
    lines.nth(2).locator("a").click()
    assert visit.page.locator("tr.detail code").first.inner_text() == "benchmarks/bench_1.py::test_work_1[n=1]"
    assert visit.page.evaluate("document.activeElement.textContent") == "test_work_1[n=1]"


def test_the_page_says_why_before_anything_is_opened(visit: Visit):
    assert (
        "work (pkg/core.py:12) explains 100% of the change"
        in visit.page.locator("section", has_text="Why").inner_text()
    )


def test_a_link_to_a_benchmark_opens_it(browser: Any, file: Path):
    visit = Visit(browser)
    visit.page.goto(f"{file.as_uri()}#b-3")
    assert visit.page.locator("tr.detail").count() == 1


def test_an_injected_script_would_not_run(browser: Any, file: Path, tmp_path: Path):
    damaged = tmp_path / "report.html"
    damaged.write_text(file.read_text().replace("</main>", "<script>window.ran = 1</script></main>"))
    visit = Visit(browser)
    visit.page.goto(damaged.as_uri())
    assert visit.page.evaluate("window.ran") is None
    assert "Content Security Policy" in " ".join(visit.complaints)


def test_a_run_that_was_compared_with_nothing_is_a_page_too(browser: Any, tmp_path: Path):
    findings = msgspec.structs.replace(compared(3), base=None, mode="record")
    visit = Visit(browser)
    visit.page.goto(written(findings, tmp_path).as_uri())
    assert "nothing compared" in visit.page.locator(".verdict-line").inner_text()
    visit.page.locator("td.name button").first.click()
    assert visit.complaints == []


def test_a_thousand_benchmarks_open(browser: Any, tmp_path: Path):
    findings = compared(1_000)
    file = written(findings, tmp_path, history_of(findings))
    assert file.stat().st_size < 15_000_000
    visit = Visit(browser)
    visit.page.goto(file.as_uri())
    visit.page.get_by_label("Filter by name").fill("test_work_999")
    visit.page.locator("td.name button:visible").first.click()
    assert visit.page.locator("tr.detail svg.plot").count() == 3
    assert visit.complaints == []


def test_beyond_a_thousand_the_table_has_all_and_says_where_the_details_are(browser: Any, tmp_path: Path):
    file = written(compared(1_010), tmp_path)
    visit = Visit(browser)
    visit.page.goto(file.as_uri())
    visit.page.get_by_label("Filter by name").fill("test_work_1009")
    visit.page.locator("td.name button:visible").click()
    assert "report.json has all" in visit.page.locator("tr.detail").inner_text()
    assert visit.complaints == []
