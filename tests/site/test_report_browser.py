"""Reports in Chromium: quiet, offline, accessible folded and unfolded, complete without scripts, and harmless within a notebook."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import depthub
from depthub.spec import Component
from tests.site.conftest import LIMIT, ROOT
from tests.site.quiet import check
from tests.site.report_runs import clean, origin, runs

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of packed runs."""
    page = depthub.report(ROOT / "leaderboards/shapes", title="Shapes")
    return page.save(tmp_path_factory.mktemp("report") / "shapes.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("unfolded", [False, True], ids=["folded", "unfolded"])
def test_a_report_is_quiet_offline_and_accessible(report: Path, page: Page, scheme: Any, unfolded: bool) -> None:
    check(page, report, scheme, unfolded=unfolded)


def test_a_report_of_settings_with_every_warning(page: Page, tmp_path: Path) -> None:
    """All kinds of warnings at once, and long names."""
    odd = replace(clean()[0], provenance=origin(hardware__cpu="Another"), warnings=("slow",), notes=("unseen",))
    long = [replace(run, spec=replace(run.spec, protocol=Component("E" * 80))) for run in runs("M" * 300, 50)[:1]]
    check(page, depthub.report([odd, *clean()[1:-1], *long]).save(tmp_path / "page.html"), "light", unfolded=True)
    assert page.locator("nav a").count() == 2
    page.locator("nav a").last.click()
    assert page.url.endswith("#setting-2")


def test_a_report_alone_in_a_folder_is_whole_without_scripts(report: Path, browser: Browser, tmp_path: Path) -> None:
    alone = shutil.copy(report, tmp_path / "alone.html")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(alone.as_uri(), timeout=LIMIT)
    assert page.locator("table").first.locator("tbody tr").count() == 3
    assert page.locator("svg").count() >= 5
    assert not page.get_by_label("Show rows with").is_visible()
    context.close()


def test_tables_sort_and_filter(page: Page, tmp_path: Path) -> None:
    several = [run for place in range(9) for run in runs(f"M{place}", 40 + 5 * place)]
    page.goto(depthub.report(several).save(tmp_path / "page.html").as_uri())
    table = page.locator("table").first
    page.get_by_role("button", name="rank", exact=True).first.click()
    assert table.locator("tbody th").all_inner_texts() == [f"M{place}" for place in range(9)]
    page.get_by_label("Show rows with").fill("m3")
    assert table.locator("tbody tr:visible").count() == 1


def test_a_notebook_keeps_its_looks(page: Page, tmp_path: Path) -> None:
    """The frame shows the page, sorts it, and changes nothing around it."""
    shown = depthub.report(clean())
    around = tmp_path / "notebook.html"
    around.write_text(f"<!doctype html><title>cell</title><p>before</p><table><tr><td>1</td></tr></table>{shown._repr_html_()}")
    bare = tmp_path / "bare.html"
    bare.write_text("<!doctype html><title>cell</title><p>before</p><table><tr><td>1</td></tr></table>")
    styles = "['body', 'p', 'td'].map(name => JSON.stringify(Object.fromEntries(['margin', 'font', 'color', 'padding', 'background']"
    styles += ".map(key => [key, getComputedStyle(document.querySelector(name))[key]]))))"
    page.goto(bare.as_uri())
    before = page.evaluate(styles)
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.goto(around.as_uri())
    frame = page.frame_locator("iframe")
    assert frame.locator("h1").inner_text() == "Report on 36 runs"
    frame.get_by_role("button", name="method", exact=True).first.click()
    assert frame.locator("th[aria-sort]").count() == 1
    assert page.evaluate(styles) == before
    assert messages == []
