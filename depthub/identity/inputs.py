"""What numbers depend on besides the spec: code, data, weights, arithmetic and versions.

They are recorded with a result and compared before it is used again.
"""

from __future__ import annotations

import hashlib
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from depthub.identity import notebook_cells
from depthub.identity.source_code import package_sha256, said

_CORE = "depthub."  # what every component inherits from


def differences(stored: Mapping[str, Any], present: Mapping[str, Any]) -> list[str]:
    """What differs between two objects of nested mappings, one phrase each: `code.methods CoOp.version was 1.0, is 2.0`.

    Args:
        stored: as recorded.
        present: as it is now.
    """
    return [f"{'.'.join(path)} was {_shown(then)}, is {_shown(now)}" for path, then, now in _unequal(stored, present, ())]


def decisive(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs whose difference means other numbers: what code says, data and weights. A difference in any other is named, and the result
    is used all the same.

    Args:
        inputs: as recorded.
    """
    return {"code": saying(inputs["code"]), "data": inputs["data"], "backbone": inputs["backbone"]}


def saying(code: Mapping[str, Any]) -> dict[str, Any]:
    """By component what its source says, as SHA-256; its version where it has no source."""
    return {part: origin.get("sha256") or origin.get("version") if isinstance(origin, Mapping) else origin for part, origin in code.items()}


def code_sha256(cls: type) -> str:
    """SHA-256 of what the source of a component says: its own package's, and those of its base classes outside depthub's core.

    Comments, docstrings and layout do not count, so that a reworded one leaves results valid. Files of the packages that are not
    Python's count by their bytes. A class without a file, as from a notebook, counts by its own source and by all that this reads.

    Raises:
        DepthubError: if a class without a file reads a value that cannot be told from others.
    """
    bases = [base for base in cls.__mro__ if any(above.__module__.startswith(_CORE) for above in base.__mro__)]
    modules = dict.fromkeys(base.__module__.partition(".")[0] for base in bases if not base.__module__.startswith(_CORE))
    parts = [package_sha256(name) or notebook_cells.code_sha256(cls) for name in modules]
    return hashlib.sha256("".join(parts or [_source_sha256(cls)]).encode()).hexdigest()


def _unequal(then: Any, now: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*then, *now]):
            yield from _unequal(then.get(key), now.get(key), (*path, str(key)))
    elif then != now:
        yield path, then, now


def _shown(value: Any) -> str:
    text = "not recorded" if value is None else str(value)
    return text[:12] if len(text) == 64 else text


def _source_sha256(cls: type) -> str:
    """Of what a class of depthub's core says by itself."""
    return hashlib.sha256(said(textwrap.dedent(inspect.getsource(cls))).encode()).hexdigest()
