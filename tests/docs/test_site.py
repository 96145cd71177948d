"""The documentation site: it builds without a warning, is complete, and asks no other host for anything."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import depthub
from depthub.cli import command_modules
from depthub.registry.plugins import installed
from depthub.testing import CHECKS

ROOT = Path(__file__).parents[2]
NEEDED = ("zensical", "mkdocstrings", "latex2mathml")
LOADING = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
    "embed": "src",
}
FOREIGN = re.compile(r"^(https?:)?//")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site, built as `tox run -e docs` does it."""
    if lacking := [name for name in NEEDED if find_spec(name) is None]:
        pytest.skip(f"{', '.join(lacking)} not installed: the dependency group `docs`")
    folder = tmp_path_factory.mktemp("docs")
    built = subprocess.run([sys.executable, "-m", "docs.site", str(folder)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "site"


class Loads(HTMLParser):
    """Notes what a page makes a browser load, and its words.

    Attributes:
        urls: addresses, in their order.
        formulas: number of formulas.
        text: what a reader sees, and scripts.
    """

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.formulas = 0
        self.text = ""
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.formulas += tag == "math"
        if tag in LOADING and (url := values.get(LOADING[tag])) and values.get("rel") not in ("canonical", "prev", "next"):
            self.urls.append(url)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    pages = [*site.rglob("*.html")]
    assert len(pages) > 20
    for page in pages:
        urls = Loads(page).urls
        assert [url for url in urls if FOREIGN.match(url)] == [], page
        local = [url.partition("?")[0].partition("#")[0] for url in urls]
        if page.name != "404.html":  # whose addresses begin at the root of a server
            assert [url for url in local if url and not url.startswith("data:") and not (page.parent / url).is_file()] == [], page
    for style in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//[^)\"']*", style.read_text()) == [], style


def test_formulas_are_written_out(site: Path) -> None:
    for name in ("methods", "heads"):
        page = Loads(site / f"docs/{name}.html")
        assert page.formulas > 15
        assert "$" not in page.text.partition("window.")[0].partition("Mathematics of the")[2]


def test_what_the_code_says_of_itself_is_there(site: Path) -> None:
    contract = (site / "docs/contract.html").read_text()
    assert [check.id for check in CHECKS if f'id="{check.id}"' not in contract] == []
    commands = Loads(site / "docs/commands.html").text
    assert [name for name in command_modules() if f"usage: depthub {name}" not in commands] == []
    abilities = Loads(site / "docs/abilities.html").text
    provides = [report.provides for report in installed().reports if report.distribution == "depthub"]
    names = [name for provided in provides for kind in ("methods", "heads") for name in provided.get(kind, ())]
    assert [name for name in names if name not in abilities] == []
    assert not re.search(r"generated: \w+", "".join(page.read_text() for page in site.rglob("*.html")))


def test_the_site_does_not_depend_on_other_plugins_or_the_terminal(site: Path) -> None:
    commands = Loads(site / "docs/commands.html").text
    assert "third_party" not in commands
    assert str(Path.home()) not in commands


def named(navigation: list[dict[str, Any]]) -> Iterator[str]:
    """The pages in the navigation."""
    for entry in navigation:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else named(value)


def test_every_page_is_in_the_navigation() -> None:
    pages = [*named(tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"])]
    assert len(pages) == len(set(pages))
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")} == {
        "docs/index.md" if page == "index.md" else page for page in pages if page.startswith("docs/") or page == "index.md"
    }


def test_every_public_name_is_in_the_reference_once() -> None:
    listed = [
        name for page in (ROOT / "docs/api").glob("*.md") for name in re.findall(r"^::: depthub\.(\w+)$", page.read_text(), re.MULTILINE)
    ]
    assert len(listed) == len(set(listed))
    assert set(listed) <= set(depthub.__all__)
    meant = {id(getattr(depthub, name)) for name in listed}  # a second name of the same thing needs no second entry
    public = [name for name in depthub.__all__ if not name.startswith("__")]
    assert [name for name in public if id(getattr(depthub, name)) not in meant] == []
