"""Tests the HTML report in a real Chromium."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import axe_complaints, chromium
from builders import metric, run_of
from report.made import HOSTILE, compared, history_of, rendered

from jarvisperf.report.findings.model import findings_of
from jarvisperf.runs.model import Benchmark

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

    @property
    def rows(self) -> Any:
        return self.page.locator("details.row:visible")

    def names(self) -> list[str]:
        return self.page.locator("details.row:visible > summary > .name").evaluate_all(
            "all => all.map(one => Array.from(one.childNodes).filter(n => n.nodeName !== 'SMALL')"
            ".map(n => n.textContent).join(''))"
        )

    def open(self, number: int = 0) -> Any:
        self.rows.nth(number).locator("summary").click()
        return self.rows.nth(number).locator(".detail")

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


def recorded() -> Findings:
    """Make a run that was compared with nothing: a group, a parametrized test, a pair, and one that failed."""
    sizes = [
        Benchmark(
            id=f"a.py::test_sort[{n}]", params={"n": str(n)}, metrics={"time": metric(n * 1e-6, n * 1.1e-6, n * 1.2e-6)}
        )
        for n in (10, 100, 1_000)
    ]
    encoders = [
        Benchmark(id=f"a.py::test_{name}", group="encoders", metrics={"time": metric(time, time * 1.01, time * 1.02)})
        for name, time in (("json", 18.05e-6), ("msgspec", 13.8e-6))
    ]
    pair = [
        Benchmark(id="a.py::test_plain", metrics={"time": metric(13.8e-6)}),
        Benchmark(id="a.py::test_cached", before="a.py::test_plain", metrics={"time": metric(1.38e-6)}),
    ]
    return findings_of(run_of(*sizes, *encoders, *pair, Benchmark(id="a.py::test_boom", error="ValueError: no")))


def test_the_result_is_understood_at_once(visit: Visit):
    assert visit.page.locator("h1").inner_text() == "1 of 60 benchmarks regressed"
    assert visit.page.locator("header").get_attribute("class") == "bad"
    chips = [" ".join(text.split()) for text in visit.page.locator("button.chip").all_inner_texts()]
    assert chips == ["▲ 1 regressed", "? 1 inconclusive", "▼ 1 improved", "= 57 unchanged"]
    first = visit.rows.first.locator("summary")
    assert [" ".join(first.locator(f".{part}").inner_text().split()) for part in ("sign", "words", "figures")] == [
        "▲",
        "20% slower 19 to 21%",
        "1.095 ms → 1.314 ms regressed",
    ]
    visit.keep("top")


def test_one_picture_shows_all_benchmarks_and_leads_to_each(visit: Visit):
    chart = visit.page.get_by_role("slider")
    assert chart.get_attribute("aria-valuemax") == "60"
    box = visit.page.locator(".chart svg.plot").bounding_box()
    visit.page.mouse.move(box["x"] + box["width"] * 0.06, box["y"] + 20)
    assert "20% slower" in visit.page.get_by_role("tooltip").inner_text()
    chart.focus()
    visit.page.keyboard.press("End")
    assert chart.get_attribute("aria-valuetext") == "test_work_1[n=1]: 20% faster, 19 to 21%"
    assert visit.page.get_by_role("tooltip").inner_text() == "test_work_1[n=1]: 20% faster, 19 to 21%"
    visit.page.keyboard.press("Enter")
    assert visit.page.locator("details.row[open] code").first.inner_text() == "benchmarks/bench_1.py::test_work_1[n=1]"


def test_a_few_benchmarks_are_sorted_by_their_change_on_one_axis(browser: Any, tmp_path: Path):
    visit = Visit(browser)
    visit.page.goto(written(compared(12), tmp_path).as_uri())
    places = visit.page.locator("details.row > summary .picture path[stroke-width='11']").evaluate_all(
        "all => all.filter(one => one.classList.contains('round') && !one.classList.contains('s-paper'))"
        ".map(one => Number(one.getAttribute('d').match(/M([0-9.]+)/)[1]))"
    )
    assert len(places) == 12
    assert places == sorted(places, reverse=True)
    assert visit.page.get_by_role("slider").count() == 0
    assert visit.complaints == []


def test_a_name_that_is_a_script_is_text(visit: Visit):
    assert visit.names()[0] == HOSTILE.partition("::")[2]
    assert visit.page.locator("img").count() == 0


def test_rows_sort_by_value_and_back(visit: Visit):
    before = visit.names()
    visit.page.get_by_label("Sort by").select_option("value")
    values = visit.page.locator("details.row").evaluate_all("rows => rows.map(row => Number(row.dataset.value))")
    assert values == sorted(values, reverse=True)
    visit.page.get_by_label("Sort by").select_option("")
    assert visit.names() == before


def test_a_filter_leaves_what_fits_and_counts_it(visit: Visit):
    visit.page.get_by_label("Filter by name").fill("test_work_1 GROUP")
    assert set(visit.names()) == {"test_work_1[n=1]", *(f"test_work_1{n}[n=1{n}]" for n in range(10))}
    assert visit.page.locator("#shown").inner_text() == "11 of 60 rows shown"
    visit.page.get_by_label("Filter by name").fill("")
    chip = visit.page.get_by_role("button", name="improved")
    chip.click()
    assert visit.names() == ["test_work_1[n=1]"]
    assert chip.get_attribute("aria-pressed") == "true"
    chip.click()
    assert len(visit.names()) == 60


def test_a_benchmark_opens_with_its_pictures_profile_and_history(visit: Visit):
    detail = visit.open()
    assert detail.locator("svg.plot").count() == 3
    pictures = detail.locator("svg.plot").evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    assert pictures[0].startswith("Distributions. base: median")
    assert pictures[1] == "Change of head: 20% slower (19 to 21%), from 5 launches; threshold 5%"
    assert pictures[2].startswith("History over 40 runs: 1.5x slower")
    assert "at 000000000014" in detail.locator("li").first.inner_text()
    guilty = detail.locator("tr.guilty td").all_inner_texts()
    assert guilty[:2] == ["work", "pkg/core.py:12"]
    visit.keep("detail", full_page=True)


def test_each_launch_is_a_dot(visit: Visit):
    dots = (
        visit.open()
        .locator("svg.plot path[class='s-bad round']")
        .evaluate_all("all => all.map(one => one.getAttribute('d').split('M').length - 1)")
    )
    assert dots == [5, 1]  # the launches, and the ratio computed from them


def test_flame_graphs_of_both_arms_are_zoomed_and_searched_by_keyboard(visit: Visit):
    flames = visit.open().locator("svg.flame")
    assert [flames.nth(number).get_attribute("aria-label").split(",")[0] for number in range(2)] == [
        "Flame graph of base",
        "Flame graph of head",
    ]
    work = flames.nth(1).get_by_role("treeitem", name="work (")
    narrow = work.get_attribute("width")
    flames.nth(1).get_by_role("treeitem").first.focus()
    visit.page.keyboard.press("ArrowDown")
    assert visit.page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("work (pkg/core.py")
    visit.page.keyboard.press("Enter")
    assert work.get_attribute("width") == "100%"
    assert flames.nth(0).get_by_role("treeitem", name="work (").get_attribute("width") == "100%"
    visit.page.keyboard.press("Escape")
    assert work.get_attribute("width") == narrow
    visit.page.get_by_label("Search functions").fill("dumps")
    assert visit.page.locator(".flame .hit").count() == 2
    assert visit.page.locator(".flame-tools p").inner_text() == "2 boxes found"


def test_the_keyboard_is_enough(visit: Visit):
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.textContent") == "Skip to the benchmarks"
    summary = visit.rows.first.locator("summary")
    summary.focus()
    visit.page.keyboard.press("Enter")
    assert visit.page.locator("details.row[open]").count() == 1
    visit.rows.first.locator(".scroll").first.focus()
    visit.page.keyboard.press("Escape")
    assert visit.page.locator("details.row[open]").count() == 0
    assert summary.evaluate("one => one === document.activeElement")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_follow_the_system_and_the_button(visit: Visit, scheme: str):
    visit.page.emulate_media(color_scheme=scheme)
    colour = "getComputedStyle(document.body).backgroundColor"
    papers = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 21, 27)"}
    assert visit.page.evaluate(colour) == papers[scheme]
    visit.open()
    visit.keep(scheme)
    visit.page.get_by_role("button", name="Light or dark").click()
    assert visit.page.evaluate(colour) != papers[scheme]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("kind", ["compared", "recorded"])
def test_axe_finds_nothing(browser: Any, tmp_path: Path, kind: str, width: int, scheme: str):
    findings = compared(4) if kind == "compared" else recorded()  # one of each verdict
    file = written(findings, tmp_path, history_of(findings) if kind == "compared" else None)
    # Axe runs as a script in the page, which the page's policy forbids.
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(file.as_uri())
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.wait_for_selector(".flame-tools" if kind == "compared" else ".detail", state="visible")
    assert axe_complaints(page) == []
    context.close()


def test_a_phone_needs_no_scrolling_to_the_side(browser: Any, file: Path):
    visit = Visit(browser, viewport={"width": 375, "height": 800}, is_mobile=True, has_touch=True)
    visit.page.goto(file.as_uri())
    visit.rows.first.locator("summary").tap()
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 375
    visit.keep("phone")
    visit.page.locator(".detail:visible").scroll_into_view_if_needed()
    visit.keep("phone_detail")
    assert visit.complaints == []


def test_without_a_script_the_page_can_be_read(browser: Any, file: Path):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    page.locator("details.row > summary").first.click()
    assert page.get_by_text("measured in turns (lockstep) in 5 launches").first.is_visible()
    assert page.get_by_role("img", name="Distributions").first.is_visible()
    assert not page.get_by_label("Sort by").is_visible()
    context.close()


def test_a_link_leads_to_its_benchmark_even_where_a_filter_hides_it(visit: Visit):
    visit.page.get_by_label("Filter by name").fill("test_work_40")
    visit.page.evaluate("location.hash = '#b-2'")
    visit.page.wait_for_selector("details.row[open]")
    assert visit.page.locator("details.row[open] code").first.inner_text() == "benchmarks/bench_1.py::test_work_1[n=1]"
    assert visit.page.evaluate("document.activeElement.parentElement.id") == "b-2"


def test_the_page_says_why_before_anything_is_opened(visit: Visit):
    assert "because of work (pkg/core.py:12)" in visit.rows.first.locator("summary").inner_text()


def test_a_link_to_a_benchmark_opens_it(browser: Any, file: Path):
    visit = Visit(browser)
    visit.page.goto(f"{file.as_uri()}#b-3")
    assert visit.page.locator("details.row[open]").get_attribute("id") == "b-3"


def test_an_injected_script_would_not_run(browser: Any, file: Path, tmp_path: Path):
    damaged = tmp_path / "report.html"
    damaged.write_text(file.read_text().replace("</main>", "<script>window.ran = 1</script></main>"))
    visit = Visit(browser)
    visit.page.goto(damaged.as_uri())
    assert visit.page.evaluate("window.ran") is None
    assert "Content Security Policy" in " ".join(visit.complaints)


def test_a_run_that_was_compared_with_nothing_has_its_own_page(browser: Any, tmp_path: Path):
    visit = Visit(browser, viewport={"width": 1280, "height": 900})
    visit.page.goto(written(recorded(), tmp_path).as_uri())
    assert visit.page.locator("h1").inner_text() == "7 benchmarks measured, 1 failed"
    headings = visit.page.locator("h2").all_inner_texts()
    assert headings == [
        "Before and after",
        "Failed",
        "test_sort",
        "encoders",
        "Other benchmarks",
        "Environment",
    ]
    encoders = visit.page.locator("section.benchmarks", has=visit.page.get_by_role("heading", name="encoders"))
    assert [" ".join(text.split()) for text in encoders.locator("summary .words").all_inner_texts()] == [
        "18.23 µs 31% slower",
        "13.94 µs fastest",
    ]
    assert "one after the other" in encoders.inner_text()
    assert visit.page.get_by_role("img", name="median time per call over n: test_sort").is_visible()
    assert "10x faster" in visit.page.locator("a.pair").inner_text()
    text = visit.page.locator("main").inner_text()
    assert "head" not in text
    visit.open(1)
    visit.keep("recorded", full_page=True)
    assert visit.complaints == []


def test_a_thousand_benchmarks_open(browser: Any, tmp_path: Path):
    findings = compared(1_000)
    file = written(findings, tmp_path, history_of(findings))
    assert file.stat().st_size < 15_000_000
    visit = Visit(browser)
    visit.page.goto(file.as_uri())
    visit.page.get_by_label("Filter by name").fill("test_work_999")
    assert visit.open().locator("svg.plot").count() == 3
    assert visit.complaints == []
