"""Parts that a session registers for itself, beside those of plugins: classes of a notebook's cells, data sets in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import depthub
from depthub.data.dataset import Fingerprinting
from depthub.errors import DepthubError
from depthub.identity import notebook_cells
from depthub.identity.inputs import code_sha256
from depthub.identity.source_code import in_files
from depthub.registry.admission import KINDS, admit
from depthub.registry.foreign import class_name, derives, described, is_class, shown
from depthub.registry.plugins import Plugins, installed
from depthub.running.models import features_of, forget_models

if TYPE_CHECKING:
    from depthub.running.resolved import Resolved

Thing = TypeVar("Thing")


def register(thing: Thing) -> Thing:
    """Make something usable by its name in this process, as if a plugin provided it; also as a decorator of a class.

    It is checked like a part of a plugin. Registered again under the same name, as from an edited cell, it replaces the earlier one, and
    runs with the earlier one are computed again: every result holds a digest of its code, and of the functions, classes and values of other
    cells that this code uses.

    Other processes do not have it, so executors that start processes cannot do runs with it. To use a result in a later session
    (`depthub.load`), register the same code there first. Code that is to last belongs in a plugin, see `plugins/README.md`.

    Args:
        thing: a `Method`, `Head`, `Protocol` or `Executor` class, named by its own name; or a `DataSet`, `NamedBackbone` or `NamedTexts`
            instance.

    Returns:
        The thing itself.

    Raises:
        DepthubError: if it is none of these, breaks a rule of its kind, has the name of a plugin's part, or has no source to make the
            digest of.
    """
    kind, plugins = _kind(thing), installed()
    try:
        name, faults = admit(thing, KINDS[kind], importable=False)
    except Exception as error:
        raise DepthubError(f"depthub.register: its argument cannot be read: {described(error)}") from error
    if faults:
        raise DepthubError(f"depthub.register: {faults[0]}")
    _require_identity(thing if is_class(thing) else type(thing), KINDS[kind].singular, name)
    replaced = plugins.is_of_session(kind, name)
    plugins.add(kind, name, thing)
    if replaced:
        forget_models()  # the earlier one may be in memory
    return thing


def session_parts(resolved: Sequence[Resolved], plugins: Plugins) -> list[str]:
    """The parts of runs that this session registered, in words: `method 'Mine'`."""
    parts = {
        *(tuple(part.split(" ", 1)) for run in resolved for part in run.code),
        *(("datasets", name) for run in resolved for name in run.data),
        *(("backbones", run.spec.backbone.model) for run in resolved),
        *(("texts", run.spec.texts.name) for run in resolved if run.spec.texts),
    }
    return [f"{KINDS[kind].singular} {name!r}" for kind, name in sorted(parts) if plugins.is_of_session(kind, name)]


def forget_changed_images(resolved: Sequence[Resolved], plugins: Plugins) -> None:
    """Forget the features of images that the session may have changed: those of its own data sets, unless the images have fingerprints."""
    data_sets = [data for run in resolved for name, data in run.data.items() if plugins.is_of_session("datasets", name)]
    if any(not isinstance(split.read, Fingerprinting) for data in data_sets for split in (data.train, data.test)):
        features_of.cache_clear()


def _kind(thing: Any) -> str:
    """The kind of a thing, by its base class."""
    cls = thing if is_class(thing) else type(thing)
    for kind, rules in KINDS.items():
        if derives(cls, getattr(depthub, rules.base)):
            takes_classes = rules.leading is not None
            if is_class(thing) != takes_classes:
                expected = f"the class {class_name(cls)} itself" if takes_classes else f"an instance: {class_name(cls)}(...)"
                raise DepthubError(f"depthub.register: {shown(thing)} cannot be registered; give {expected}")
            return kind
    raise DepthubError(
        f"depthub.register: {shown(thing)} cannot be registered; expected a Method, Head, Protocol or Executor class, "
        "or a DataSet, NamedBackbone or NamedTexts instance"
    )


def _require_identity(cls: Any, kind: str, name: str) -> None:
    """Refuse a class whose code has no digest, so that an edited one would not be noticed."""
    if not in_files(cls.__module__) and not notebook_cells.has_source(cls):
        raise DepthubError(
            f"depthub.register: {kind} {name!r} has no source, so that changes of its code would not be noticed; "
            "define it in a file or a notebook cell"
        )
    code_sha256(cls)
