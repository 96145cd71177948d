"""The pages in Chromium: quiet, offline, sortable, accessible, and complete without scripts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.site.conftest import LIMIT
from tests.site.quiet import check

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGES = (
    "index.html",
    "boards/embedded.html",
    "methods/coop-dept.html",
    "data/digits.html",
    "papers/dept-2023.html",
    "papers/index.html",
    "submit.html",
)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_quiet_offline_and_accessible(site: Path, page: Page, name: str, scheme: Any) -> None:
    check(page, site / name, scheme)


def column(page: Page, name: str) -> list[str]:
    """The cells of a column of the first table, from above."""
    return list(
        page.evaluate(
            """name => {
                const table = document.querySelector("table.sortable");
                const place = [...table.tHead.rows[0].cells].findIndex(cell => cell.textContent.trim() === name);
                return [...table.tBodies[0].rows].filter(row => !row.hidden).map(row => row.cells[place].textContent.trim());
            }""",
            name,
        )
    )


def test_columns_sort_by_mouse_and_by_keyboard(site: Path, page: Page) -> None:
    page.goto((site / "boards/embedded.html").as_uri())
    before = column(page, "new")
    page.get_by_role("button", name="new", exact=True).first.click()
    falling = [float(text.split()[0]) for text in column(page, "new")]
    assert falling == sorted(falling, reverse=True)
    assert column(page, "new") != before
    heading = page.get_by_role("button", name="method", exact=True).first
    heading.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert column(page, "method") == sorted(column(page, "method"), key=str.lower)
    assert page.locator("th[aria-sort]").count() == 1


def test_rows_are_filtered(site: Path, page: Page) -> None:
    page.goto((site / "boards/embedded.html").as_uri())
    page.get_by_label("Show rows with").fill("DEPT balance=0.7")
    assert len(column(page, "method")) == 9
    assert all("balance=0.7" in name for name in column(page, "method"))
    assert "9 of 55 rows" in page.locator("output").inner_text()


def test_tables_are_complete_without_scripts(site: Path, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "boards/embedded.html").as_uri(), timeout=LIMIT)
    assert page.locator("table").first.locator("tbody tr").count() == 55
    assert not page.get_by_label("Show rows with").is_visible()
    context.close()


def test_links_lead_somewhere(site: Path, page: Page) -> None:
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri())
        for target in page.evaluate("[...document.querySelectorAll('a[href]')].map(link => link.href.split('#')[0])"):
            assert not target.startswith("file:") or Path(target.removeprefix("file://")).is_file(), (path, target)
