"""The report in a real browser: nothing fetched, nothing blocked, keyboard, contrast, phone, print, many symbols.

Chromium comes from the machine (`apt-get install chromium`); where there is none these tests are skipped.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ctl import reports
from ctl.reports import Report, SymbolState

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

# Every text with the colours it has and stands on; below 4.5 (3 where it is large) it is hard to read (WCAG AA).
HARD_TO_READ = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [.2126, .7152, .0722][k], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const found = parse(getComputedStyle(at).backgroundColor);
      if (found.length && (found.length < 4 || found[3] > 0)) return found;
    }
    return [255, 255, 255];
  };
  const bad = [], seen = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || seen.has(node) || !node.getClientRects().length || node.closest("script")) continue;
    seen.add(node);
    const style = getComputedStyle(node), colour = parse(node.closest("svg") ? style.fill : style.color);
    const [a, b] = [light(colour), light(behind(node))].sort((x, y) => y - x), ratio = (a + .05) / (b + .05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) bad.push(`${ratio.toFixed(2)} ${text.data.trim().slice(0, 40)}`);
  }
  return { bad, texts: seen.size };
}"""


@dataclass
class Opened:
    """A page with everything that it asked for or complained of."""

    page: Any
    requests: list[str]
    complaints: list[str]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(chromium: Any) -> Iterator[Any]:
    contexts = []

    def opened(path: Path, *, width: int = 1000, scheme: str = "light") -> Opened:
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        found = Opened(page, [], [])
        page.on("request", lambda request: found.requests.append(request.url))
        page.on("console", lambda message: found.complaints.append(message.text))
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        return found

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def made(filled_workspace: Path) -> Report:
    from ctl import clock
    from ctl.cli.glossary import TERMS
    from ctl.ops.report import Asked, of_now
    from ctl.store import Workspace

    return of_now(Workspace.load(filled_workspace), Asked(), TERMS, instant=clock.now())


@pytest.fixture(scope="module")
def path(made: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(made, tmp_path_factory.mktemp("page"))


def written(made: Report, folder: Path) -> Path:
    path = folder / "report.html"
    path.write_text(reports.page(made), encoding="utf-8")
    return path


def unfold(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((item) => { item.open = true; })")
    page.wait_for_timeout(200)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_fetched_nothing_complains_and_every_text_can_be_read(path: Path, show: Any, scheme: str):
    opened = show(path, scheme=scheme)
    unfold(opened.page)
    found = opened.page.evaluate(HARD_TO_READ)
    assert found["texts"] > 500
    assert found["bad"] == []
    assert opened.requests == [path.as_uri()]
    assert opened.complaints == []


def test_the_check_of_contrast_would_find_a_pale_text(path: Path, show: Any):
    page = show(path).page
    page.evaluate("document.querySelector('.reach').style.color = '#cccccc'")
    assert page.evaluate(HARD_TO_READ)["bad"] != []


def test_arrow_keys_step_and_the_date_shows_on_all_pictures_of_the_symbol(path: Path, show: Any):
    page = show(path).page
    picture = page.locator("details.symbol[open] figure .picture").first
    picture.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    figures = page.locator("details.symbol[open]").first.locator("figure")
    group = figures.first.get_attribute("data-group")
    said = [figure.locator("output").inner_text() for figure in figures.all()[:3]]
    assert said[0].startswith("2018-01-")
    assert "total" in said[0]
    page.keyboard.press("End")
    crossed = [figure for figure in figures.all() if figure.get_attribute("data-group") == group]
    assert len(crossed) == 3
    assert {figure.locator("g.cross line").get_attribute("x1") for figure in crossed} == {"100%"}
    assert crossed[-1].locator("output").inner_text().startswith("2026-02-27")
    page.keyboard.press("Escape")
    assert figures.first.locator("output").inner_text() == ""


def test_a_gap_session_says_so(path: Path, show: Any):
    page = show(path).page
    page.locator("details.symbol[open] figure .picture").first.focus()
    page.keyboard.press("Home")
    said = []
    for _ in range(30):
        page.keyboard.press("ArrowRight")
        said.append(page.locator("details.symbol[open] figure output").first.inner_text())
    assert any("gap session of " in text for text in said)


def test_numbers_are_folded_beneath_a_picture(path: Path, show: Any):
    page = show(path).page
    figure = page.locator("figure").first
    assert figure.locator("table").count() == 0
    figure.locator("summary").click()
    figure.locator("table").wait_for()
    assert figure.locator("thead th").all_inner_texts()[:2] == ["date", "strategy"]
    assert figure.locator("tbody tr").count() > 10


def test_a_table_is_sorted_by_a_column_and_copied_as_csv(path: Path, show: Any):
    page = show(path).page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    table = page.locator("#C table", has_text="results by symbol")
    assert table.locator("tbody th").all_inner_texts()[0] == "ES"
    table.get_by_role("button", name="total R").click()
    table.get_by_role("button", name="total R").click()
    totals = [float(row.locator("td").nth(4).inner_text()) for row in table.locator("tbody tr:not(.total)").all()]
    assert totals == sorted(totals, reverse=True)
    assert table.locator("tbody tr").last.locator("th").inner_text() == "all together"
    page.locator("#C .tabled", has_text="results by symbol").get_by_role("button", name="copy CSV").click()
    page.get_by_role("button", name="copied").wait_for()
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert lines[0] == "symbol,triggers,trades,win,R/trade,total R,profit factor,max drawdown,open R"
    assert len(lines) == 5


# Dates in the first column of a table that stand on two lines.
BROKEN_DATES = """() => [...document.querySelectorAll('th.day')].filter((cell) => {
  const text = document.createRange();
  text.selectNodeContents(cell);
  return text.getBoundingClientRect().height > 30;
}).map((cell) => cell.textContent)"""
LONG = "TS_ES_CUSTOM_ADJ_1D_20180102_20260227"


@pytest.fixture(scope="module")
def pages(made: Report, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every kind of page: of a workspace, refused, of one symbol, of a certificate, of a file with a long name."""
    from ctl.flows.report import of_backtest, of_certificates

    state = next(item for item in made.symbols if item.result is not None and item.result.trades)
    assert state.result is not None
    assert state.certificate is not None
    assert state.bars is not None
    found = {
        "workspace": made,
        "refused": replace(made, run=None, why=(f"{LONG}: {LONG}: {'words ' * 20}",), follow="ctl gate"),
        "symbol": replace(made, symbols=(state,)),
        "certificate": of_certificates([(state.certificate, None)], follow=f"ctl certify {LONG} --explain"),
        "backtest": of_backtest(replace(state.result, symbol=LONG), state.bars, why=("Evidence: none",)),
    }
    return {kind: written(page, tmp_path_factory.mktemp(kind)) for kind, page in found.items()}


KINDS = ["workspace", "refused", "symbol", "certificate", "backtest"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_phone_scrolls_downwards_only(pages: dict[str, Path], show: Any, kind: str, scheme: str):
    page = show(pages[kind], width=380, scheme=scheme).page
    unfold(page)
    page.evaluate("document.querySelectorAll('figure summary').forEach((item) => item.click())")
    assert page.evaluate("document.documentElement.scrollWidth") == 380
    assert page.evaluate(HARD_TO_READ)["bad"] == []
    assert page.locator("th.day").count() > 0
    assert page.evaluate(BROKEN_DATES) == []
    page.locator("figure .picture").first.click()
    assert page.locator("figure output").first.inner_text() != ""


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("workspace", "next: ctl orders"),
        ("refused", "next: ctl gate"),
        ("certificate", f"next: ctl certify {LONG}"),
        ("backtest", "Evidence: none"),
    ],
)
def test_a_phone_shows_verdict_reason_and_next_command_first(pages: dict[str, Path], show: Any, kind: str, said: str):
    page = show(pages[kind], width=380).page
    header = page.locator("header")
    assert said in header.inner_text()
    assert header.bounding_box()["height"] < 600
    assert page.evaluate("scrollY") == 0


def test_every_axis_of_values_says_what_it_counts(pages: dict[str, Path], show: Any):
    for kind in KINDS:
        page = show(pages[kind]).page
        unfold(page)
        drawn = page.evaluate("[...document.querySelectorAll('svg.values')].map((item) => item.textContent)")
        assert drawn
        assert [text for text in drawn if text and not text.strip()[0].isalpha()] == []


def test_print_is_unfolded_and_white(path: Path, show: Any):
    page = show(path, scheme="dark").page
    folded = page.locator("details:not(.numbers):not([open])").count()
    assert folded > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("details:not(.numbers):not([open])").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not(.numbers):not([open])").count() == folded


def test_a_printed_page_cuts_no_column(pages: dict[str, Path], show: Any):
    for kind in KINDS:
        page = show(pages[kind], width=717).page  # A4 within margins of 10 mm
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        tables = page.locator("table").evaluate_all("all => all.map((item) => [item.offsetWidth, item.innerText])")
        assert (kind, [text for width, text in tables if width > 717]) == (kind, [])


def test_only_its_own_script_runs(path: Path, show: Any):
    opened = show(path)
    opened.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.hacked = 1' }))"
    )
    assert opened.page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in text for text in opened.complaints)


HOSTILE = '"><script>window.hacked=1</script><img src=x onerror=window.hacked=1>'


def test_what_data_say_stays_text(made: Report, show: Any, tmp_path: Path):
    def spoilt(state: SymbolState) -> SymbolState:
        certificate = state.certificate
        if certificate is not None:
            file = replace(certificate.inputs.canonical_files[0], name=HOSTILE)
            certificate = replace(
                certificate,
                symbol=HOSTILE,
                quote_unit=HOSTILE,
                reasons=tuple(replace(reason, text=HOSTILE) for reason in certificate.reasons),
                inputs=replace(certificate.inputs, canonical_files=(file,)),
            )
        return replace(state, symbol=HOSTILE, note=HOSTILE, certificate=certificate, pending=HOSTILE)

    hostile = replace(
        made, kind=HOSTILE, symbols=tuple(map(spoilt, made.symbols)), terms=((HOSTILE, HOSTILE),), facts={"x": HOSTILE}
    )
    for symbols in (hostile.symbols, hostile.symbols * 10):
        opened = show(written(replace(hostile, symbols=symbols), tmp_path))
        unfold(opened.page)
        cells = opened.page.locator("button.cell")
        if cells.count():
            cells.first.click()
            opened.page.locator("#opened figure").first.wait_for()
        assert opened.page.evaluate("window.hacked") is None
        assert opened.page.locator("img").count() == 0
        assert HOSTILE in opened.page.locator("body").inner_text()
        assert opened.complaints == []
        assert len(opened.requests) == 1


def many(made: Report, count: int) -> Report:
    """The report of so many symbols: those that were certified, over and over under other names."""
    gating = [state for state in made.symbols if state.certificate is not None]
    return replace(made, symbols=tuple(named(gating[k % len(gating)], f"S{k:03}") for k in range(count)))


def named(state: SymbolState, symbol: str) -> SymbolState:
    return replace(state, symbol=symbol, certificate=replace(state.certificate, symbol=symbol))


def test_five_hundred_symbols_are_a_light_grid_whose_details_open_on_enter(made: Report, show: Any, tmp_path: Path):
    path = written(many(made, 500), tmp_path)
    megabytes = path.stat().st_size / 1e6
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        opened = show(path)
        took.append(time.perf_counter() - begun)
    page = opened.page
    print(f"500 symbols: {megabytes:.2f} MB, interactive after {min(took):.2f} s")
    assert megabytes < 5
    assert min(took) < 2
    assert page.locator("button.cell").count() == 500
    page.fill("#filter", "s123")
    assert page.locator("#count").inner_text() == "1 of 500 symbols"
    page.keyboard.press("Enter")
    page.locator("#opened figure").first.wait_for()
    assert "S123" in page.locator("#opened h3").inner_text()
    assert page.locator("#opened figure").count() == 3
    page.locator("#opened figure .picture").first.focus()
    page.keyboard.press("End")
    assert page.locator("#opened figure output").first.inner_text().startswith("2026-02")
    page.fill("#filter", "")
    page.locator("button.cell").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.locator("#opened section").nth(1).wait_for()
    assert opened.complaints == []
