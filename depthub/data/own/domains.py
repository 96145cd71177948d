"""Trees of domains, `<domain>/<class>/*`: recognised, and refused with the options for one domain against the others."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from depthub.data.listing import FOLDER, children, kind
from depthub.data.picture_formats import is_picture
from depthub.errors import DepthubError
from depthub.values.text import listed


def refuse_domains(folder: Path, inside: Sequence[Path]) -> None:
    """Refuse a tree of domains: a class per domain would be wrong, and so may be any other reading.

    Domains are folders without pictures of their own, with at least two names of sub-folders in common:

        photo/cat/*  photo/dog/*  sketch/cat/*  sketch/dog/*      domains: cat and dog are in both
        cat/black/*  cat/white/*  dog/large/*   dog/small/*       classes that are divided further: nothing in common

    Args:
        folder: the tree.
        inside: its folders, at least two.

    Raises:
        DepthubError: with the options that train on one domain and test on the others.
    """
    if any(loose_pictures(child) for child in inside):
        return
    shared = set.intersection(*({entry.name for entry in children(child) if kind(child / entry.name) == FOLDER} for child in inside))
    if len(shared) < 2:
        return
    first, *others = [f"folder:{child}" for child in inside]
    options = shlex.join(["--data", first, "--protocol.variants", json.dumps(others)])
    raise DepthubError(
        f"{folder} holds {listed([child.name for child in inside])}, and each of them {listed(sorted(shared))}: if these are domains "
        f"with the same classes, train on one and test on all pictures of the others with `{options}` and a protocol that tests on "
        "variants (`depthub plugins` lists the protocols); if they are classes, put their pictures directly into their folders, or list "
        "them (list:FILE.csv)"
    )


def loose_pictures(folder: Path) -> list[str]:
    """Names of pictures directly in a folder, beside its folders."""
    return [entry.name for entry in children(folder) if is_picture(entry.name) and kind(folder / entry.name) != FOLDER]
