"""Inputs: everything besides the spec that numbers depend on, which is code, data, weights, arithmetic and versions.

They are recorded with a result, and compared before it is used again. An example, shortened:

    {"code": {"methods CoOp": {"distribution": "depthub", "version": "0.1.0", "sha256": "91c2..."}},
     "data": {"folder:pets": "5e0f..."}, "backbone": "a4d7...", "linear": "torch", "packages": {"torch": "2.8.0"}}
"""

from __future__ import annotations

import hashlib
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from depthub.identity import notebook_cells
from depthub.identity.source_code import normalised, package_sha256

_CORE = "depthub."  # modules of the base classes of all components


def differences(stored: Mapping[str, Any], present: Mapping[str, Any]) -> list[str]:
    """The differences between two nested mappings, one phrase each: `code.methods CoOp.version was 1.0, is 2.0`.

    Args:
        stored: the recorded values.
        present: the values of today.
    """
    return [f"{'.'.join(path)} was {_shown(then)}, is {_shown(now)}" for path, then, now in _unequal(stored, present, ())]


def decisive(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that decide about numbers: the source code, data and weights. If any other input differs, that is noted and the result is
    used all the same.

    Args:
        inputs: as recorded.
    """
    return {"code": code_digests(inputs["code"]), "data": inputs["data"], "backbone": inputs["backbone"]}


def code_digests(code: Mapping[str, Any]) -> dict[str, Any]:
    """SHA-256 of the source by component; the version of a component without source."""
    return {part: origin.get("sha256") or origin.get("version") if isinstance(origin, Mapping) else origin for part, origin in code.items()}


def code_sha256(cls: type) -> str:
    """SHA-256 of the source code of a component: of its whole package, and of the packages of its base classes outside depthub's core.

    Comments, docstrings and layout do not count: rewording them leaves results valid. Other files of the packages count by their bytes. A
    class without a file, as from a notebook, counts by its own source and by everything that this uses.

    Raises:
        DepthubError: if a class without a file uses a value that has no digest.
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
    """SHA-256 of the source of a class of depthub's core, and of nothing else there."""
    return hashlib.sha256(normalised(textwrap.dedent(inspect.getsource(cls))).encode()).hexdigest()
