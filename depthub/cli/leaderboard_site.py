"""`depthub leaderboard site BOARDS`: boards as pages, with what installed methods, heads and data sets are."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from depthub.cli.options.parser import Parser
from depthub.cli.plural import counted
from depthub.values.text import plain

KINDS = ("methods", "heads", "datasets")


def parser() -> Parser:
    """The command's options."""
    site = Parser(description="Write boards as pages that open from a disk.")
    site.add("boards", type=Path, nargs="+", metavar="DIR", help="boards' folders, or folders of such folders")
    site.add("--out", type=Path, default=Path("site"), metavar="DIR", help="the folder for the pages; an earlier site in it is replaced")
    return site


def main(options: Any) -> int:
    """Write the pages."""
    from depthub.site.build import write

    pages = write(options.boards, options.out, descriptions())
    print(plain(f"{counted(len(pages), 'page')}: {pages[0]}"))
    return 0


def descriptions() -> dict[str, str]:
    """The first paragraph of the documentation of each, by name, without the marks of code."""
    from depthub.registry.plugins import installed

    plugins = installed()
    texts = {name: inspect.getdoc(plugins.get(kind, name)) for kind in KINDS for name in plugins.names(kind)}
    return {name: " ".join(re.sub("[`*]", "", text.partition("\n\n")[0]).split()) for name, text in texts.items() if text}
