"""The pages' source: the files that the navigation names, and all that these link to, in the folders of the repository.

Links therefore hold in the repository and on the site alike. Only the first page moves, from `docs/` to the root.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

from docs.site import abilities, commands, contract, data_sets, fields, options
from docs.site.mathematics import render

ROOT = Path(__file__).parents[2]
START, FIRST = PurePosixPath("index.md"), PurePosixPath("docs/index.md")
LINK = re.compile(r"(!?\[[^\]]*\]\()([^)#\s]+)")
ASSETS = "docs/assets"
PLACE = re.compile(r"<!-- generated: (\w+)((?: \w+)*) -->")
GENERATORS: Mapping[str, Callable[..., str]] = {
    "checks": contract.checks,
    "commands": commands.reference,
    "data_sets": data_sets.published,
    "heads": abilities.heads,
    "methods": abilities.methods,
    "options": options.options,
    "presets": options.presets,
    "run_fields": fields.run_fields,
}


def write(configuration: Path, target: Path) -> None:
    """Write all pages and files of the site's source.

    Args:
        configuration: of the site, with the navigation.
        target: a folder that does not exist yet.
    """
    navigation = tomllib.loads(configuration.read_text())["project"]["nav"]
    assets = [path.relative_to(ROOT).as_posix() for path in (ROOT / ASSETS).iterdir()]
    for name in reached([*pages(navigation), *map(PurePosixPath, assets)]):
        place = target / (START if name == FIRST else name)
        place.parent.mkdir(parents=True, exist_ok=True)
        if name.suffix == ".md":
            place.write_text(page(name))
        else:
            shutil.copy(ROOT / name, place)


def pages(navigation: Iterable[Mapping[str, Any]]) -> Iterator[PurePosixPath]:
    """The files that the navigation names, relative to the root."""
    for entry in navigation:
        for value in entry.values():
            if isinstance(value, str):
                yield FIRST if value == str(START) else PurePosixPath(value)
            else:
                yield from pages(value)


def page(name: PurePosixPath) -> str:
    """The text of a page with everything filled in."""
    text = PLACE.sub(lambda place: f"\n{GENERATORS[place[1]](*place[2].split())}\n", (ROOT / name).read_text())
    if name == FIRST:
        text = LINK.sub(lambda link: link[1] + (link[2] if ":" in link[2] else normpath(FIRST.parent / link[2])), text)
    return render(text)


def reached(names: Iterable[PurePosixPath]) -> set[PurePosixPath]:
    """The files and all that they link to, as far as it is there."""
    waiting, seen = [*names], set[PurePosixPath]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += links(name) if name.suffix == ".md" else ()
    return seen


def links(name: PurePosixPath) -> Iterator[PurePosixPath]:
    """The files of the repository that a page links to."""
    for _, link in LINK.findall((ROOT / name).read_text()):
        path = PurePosixPath(normpath(name.parent / link))
        if ":" not in link and ".." not in path.parts and (ROOT / path).is_file():
            yield path
