"""What every page has to be in a browser."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page


def check(page: Page, path: Path, scheme: Any, *, unfolded: bool = False) -> None:
    """A page is quiet, asks no other host, is not wider than the window, and axe-core finds nothing serious.

    Args:
        page: of the browser, fresh.
        path: of the file.
        scheme: "light" or "dark".
        unfolded: whether all that is folded is unfolded first.
    """
    messages: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.emulate_media(color_scheme=scheme)
    page.goto(path.as_uri())
    if unfolded:
        page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    assert messages == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # wide tables scroll by themselves
    page.evaluate(files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    serious = [rule for rule in page.evaluate("axe.run()")["violations"] if rule["impact"] in ("serious", "critical")]
    assert [(rule["id"], [node["html"][:120] for node in rule["nodes"]][:3]) for rule in serious] == []
