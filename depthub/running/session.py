"""What a session registers for itself: a class of a notebook's cell, or a data set in memory, beside what plugins provide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import depthub
from depthub.data.dataset import Fingerprinting
from depthub.errors import DepthubError
from depthub.identity import notebook_cells
from depthub.identity.inputs import code_sha256
from depthub.identity.source_code import in_files
from depthub.registry.admission import KINDS, admit
from depthub.registry.foreign import class_name, derives, described, is_class, shown
from depthub.registry.plugins import Plugins, installed
from depthub.running.models import features_of, frozen
from depthub.running.resolving import Resolved

Thing = TypeVar("Thing")


def register(thing: Thing) -> Thing:
    """Make something usable by its name in this process, as if a plugin provided it; also as a decorator of a class.

    It is checked as a plugin's is. Registered again under the same name, as from an edited cell, it replaces the earlier one, and runs that
    used that are computed again: the digest of what its code says, and of the functions, classes and values of other cells that this reads,
    is part of every result.

    Other processes know nothing of it: runs that use it take no executor that starts some. To use a result in a later session
    (`depthub.load`), register the same code there first. What is to last belongs in a plugin, see `plugins/README.md`.

    Args:
        thing: a `Method`, `Head`, `Protocol` or `Executor` class, named by its own name; or a `DataSet` or `NamedBackbone` instance.

    Returns:
        The thing itself.

    Raises:
        DepthubError: if it is none of these, breaks a rule of its kind, has a plugin's name, or has no source that tells its code apart.
    """
    kind, plugins = _kind(thing), installed()
    try:
        name, faults = admit(thing, KINDS[kind], importable=False)
    except Exception as error:
        raise DepthubError(f"depthub.register: what it is given cannot be read: {described(error)}") from error
    if faults:
        raise DepthubError(f"depthub.register: {faults[0]}")
    _require_identity(thing if is_class(thing) else type(thing), KINDS[kind].singular, name)
    replaced = plugins.is_of_session(kind, name)
    plugins.add(kind, name, thing)
    if replaced:  # what is kept of the earlier one in memory
        frozen.cache_clear()
        features_of.cache_clear()
    return thing


def own(resolved: Sequence[Resolved], plugins: Plugins) -> list[str]:
    """What runs use that this process registered, in words: `method 'Mine'`."""
    used = {
        *(tuple(part.split(" ", 1)) for run in resolved for part in run.code),
        *(("datasets", name) for run in resolved for name in run.data),
        *(("backbones", run.spec.backbone.model) for run in resolved),
    }
    return [f"{KINDS[kind].singular} {name!r}" for kind, name in sorted(used) if plugins.is_of_session(kind, name)]


def look_again(resolved: Sequence[Resolved], plugins: Plugins) -> None:
    """Forget what earlier runs saw in images of this session's data sets: their readers may read what the session has changed since."""
    sets = [(name, data) for run in resolved for name, data in run.data.items() if plugins.is_of_session("datasets", name)]
    if any(not isinstance(split.read, Fingerprinting) for _, data in sets for split in (data.train, data.test)):
        features_of.cache_clear()


def _kind(thing: Any) -> str:
    """The kind of a thing, by what it inherits from."""
    for kind, facts in KINDS.items():
        base = getattr(depthub, facts.base)
        if derives(thing if is_class(thing) else type(thing), base):
            if is_class(thing) == (facts.leading is None):
                made = f"an instance: {class_name(thing)}(...)" if is_class(thing) else f"the class {class_name(type(thing))} itself"
                raise DepthubError(f"depthub.register: {shown(thing)} cannot be registered; give {made}")
            return kind
    raise DepthubError(
        f"depthub.register: {shown(thing)} cannot be registered; expected a Method, Head, Protocol or Executor class, "
        "or a DataSet or NamedBackbone instance"
    )


def _require_identity(cls: Any, kind: str, name: str) -> None:
    """Refuse a class whose code cannot be told from an edited one's."""
    if not in_files(cls.__module__) and not notebook_cells.has_source(cls):
        raise DepthubError(
            f"depthub.register: {kind} {name!r} has no source, so that its runs could not be told from those of other code; "
            "define it in a file or a notebook cell"
        )
    code_sha256(cls)
