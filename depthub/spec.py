"""The spec of a run: plain, hashable data that decides about its numbers, with nothing about places or speed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, get_args

from depthub.errors import DepthubError, hint
from depthub.recipe import Training as Training
from depthub.types import filled
from depthub.values.canonical import canonical
from depthub.values.checks import choice, number, text, whole
from depthub.values.places import OWN_DATA, RUN, changed, last_name

Decoding = Literal["exact", "draft"]
_COMPONENTS = ("method", "head", "protocol")  # parts of a run
# fields of a data set's spec that are omitted at these values, so that older run ids stay valid
_OMITTED: Mapping[str, Any] = {"decoding": "exact", "background": "", "template": "", "class_names": {}}


@dataclass(frozen=True)
class Component:
    """A method, head or protocol by name, with its settings.

    Args:
        name: the class's own name, for example "CoOp".
        settings: keyword arguments of its constructor; a setting that is itself a head is a `Component`.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.name, digest(self.as_dict())))

    def as_dict(self) -> dict[str, Any]:
        settings = {k: v.as_dict() if isinstance(v, Component) else v for k, v in self.settings.items()}
        return {"name": self.name, "settings": settings}

    @classmethod
    def of(cls, value: Component | str | Mapping[str, Any]) -> Component:
        """From a name, or from the data of `as_dict`: `{"name": "CoOp", "settings": {"n_ctx": 4}}`."""
        if isinstance(value, Component):
            return value
        if isinstance(value, str):
            return cls(value)
        parts = value if isinstance(value, Mapping) and value.keys() == {"name", "settings"} else {"name": None, "settings": None}
        if not isinstance(parts["name"], str) or not isinstance(parts["settings"], Mapping):
            raise DepthubError(f"a component is {value!r:.80}, expected its name, or a name with settings")
        nested = {k: cls.of(v) if isinstance(v, Mapping) and v.keys() == {"name", "settings"} else v for k, v in parts["settings"].items()}
        return cls(parts["name"], nested)


@dataclass(frozen=True)
class BackboneSpec:
    """A frozen CLIP-like model.

    Args:
        model: a backbone that a plugin provides ("shapes"), an open_clip model name, `local-dir:PATH`, or the path of a model
            configuration (JSON).
        pretrained: open_clip's tag of the weights, or the path of a checkpoint; empty for models that come with their own.
        sha256: of the weights; filled in for local files, so that another file is another run.
    """

    model: str = "shapes"
    pretrained: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        for name in ("model", "pretrained", "sha256"):
            text(f"backbone.{name}", getattr(self, name))

    def without_folders(self) -> BackboneSpec:
        """The spec of a backbone of local files by their names alone: its digest says which files they are, wherever they lie."""
        return replace(self, model=last_name(self.model), pretrained=last_name(self.pretrained)) if self.sha256 else self


@dataclass(frozen=True)
class NamedBackbone:
    """A backbone that a plugin provides under a name of its own: the place of the model, not the model. Nothing is loaded or downloaded
    before a run uses it.

    Args:
        name: its public name: letters, digits, `_`, `-` and `.`.
        model: an open_clip model name, `local-dir:PATH`, or the path of a model configuration (JSON).
        pretrained: open_clip's tag of the weights, or the path of a checkpoint; empty for models that come with their own. A local file
            counts by its content.
        summary: one line for the list of plugins.
    """

    name: str
    model: str
    pretrained: str = ""
    summary: str = ""


@dataclass(frozen=True)
class Preset:
    """Published values for a method, as data; an entry of `Method.presets`. Values that a run states itself take precedence.

    Of several presets with the same name, the first that fits a run's protocol, shots and data counts: put the special ones first. Values
    that it does not have are the defaults of the constructor and of the recipe.

    Args:
        name: "dept-repo", the source of the DePT paper's tables and the default of runs; "original", the method's own repository; or
            another word of letters, digits, `_`, `-` and `.`.
        settings: of the method, by the names of its constructor's keywords.
        training: of the recipe; fields of `Training`, for example `{"lr": 0.002}`.
        protocols: names of the protocols that it is for; empty: for all.
        shots: numbers of images per class that it is for; empty: for all.
        data: names of the data sets that it is for, as in the original code; empty: for all.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    protocols: tuple[str, ...] = ()
    shots: tuple[int, ...] = ()
    data: tuple[str, ...] = ()

    def fits(self, spec: RunSpec) -> bool:
        """Whether it is for the spec's protocol, shots and data."""
        conditions = ((spec.protocol.name, self.protocols), (spec.shots, self.shots), (spec.data.name, self.data))
        return all(not values or value in values for value, values in conditions)


def _class_names(names: Any) -> Mapping[str, str] | tuple[str, ...]:
    """Class names in the form of a spec: a dictionary, or a tuple that is not empty.

    Raises:
        DepthubError: if they are neither a mapping of texts nor a list of texts.
    """
    if not isinstance(names, Mapping | list | tuple):
        raise DepthubError(f"data.class_names is {names!r:.80}, expected names by folder, or a list of names in the order of the folders")
    for name in (*names, *names.values()) if isinstance(names, Mapping) else names:
        text("data.class_names", name)
    return dict(names) if isinstance(names, Mapping) else tuple(names) or {}


@dataclass(frozen=True)
class DataSpec:
    """A data set by name.

    Args:
        name: a data set that a plugin provides, or `folder:PATH` or `list:FILE` for your own images.
        test_fraction: share of each class held out for testing, for folders without `train/` and `test/`.
        sha256: of the list of files; filled in for data sets on disk, so that other files are another run.
        decoding: of JPEG files for the test transform: "exact", or "draft": large pictures are decoded at a half, a quarter or an eighth
            of their size, at least twice that of the model's input. Faster, but pixels change slightly, hence another run.
        background: colour behind transparent pictures, in Pillow's notation ("white", "#ff8000"); empty: transparency is ignored and shows
            the hidden colours, as in the published code.
        template: the hand-written prompt of your own images, with `{}` for the class name; empty: "a photo of a {}."
        class_names: of your own images: names by folder, or by label for a list; or names in the sorted order of folders or labels; empty:
            folders or labels are the names.
    """

    name: str = "tones"
    test_fraction: float = 0.5
    sha256: str = ""
    decoding: Decoding = "exact"
    background: str = ""
    template: str = ""
    class_names: Mapping[str, str] | Sequence[str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("name", "sha256", "background", "template"):
            text(f"data.{name}", getattr(self, name))
        if self.template:
            filled(self.template, "")
        object.__setattr__(self, "class_names", _class_names(self.class_names))
        choice("data.decoding", self.decoding, get_args(Decoding))
        number("data.test_fraction", self.test_fraction, 0.0, 1.0)

    def __hash__(self) -> int:
        return hash(digest(self.as_dict()))

    def as_dict(self) -> dict[str, Any]:
        """Plain data. Decoding, background, template and class names are omitted at their defaults, so that older run ids stay valid."""
        return {k: v for k, v in vars(self).items() if k not in _OMITTED or v != _OMITTED[k]}


@dataclass(frozen=True)
class TextsSpec:
    """A file of class texts, see `docs/class-texts.md`.

    Args:
        name: its path, or the name under which a plugin provides it.
        sha256: that it states of its content; filled in, so that other texts are another run.
    """

    name: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        text("texts.name", self.name)
        if not self.name:
            raise DepthubError("texts.name is '', expected the path of a file of class texts, or the name of a plugin's")
        text("texts.sha256", self.sha256)

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"name": self.name, "sha256": self.sha256}


@dataclass(frozen=True)
class RunSpec:
    """One run: method, head and protocol on one data set, with one seed.

    Two runs are the same exactly if their resolved specs are equal; `run_id` is their name.

    Args:
        method, head, protocol: by name, with settings; omitted settings have their defaults. Each part may also be plain data:
            `RunSpec(method={"name": "CoOp", "settings": {"n_ctx": 4}}, head="DePT", training={"epochs": 5})`.
        data: the data set to train on.
        backbone: the frozen model.
        training: the recipe; None: that of the DePT paper's tables for this method.
        shots: training images per class.
        seed: of the initialisation and the order of the images, and of the few-shot sample.
        sample: seed of the few-shot sample, if it is another; None: `seed`.
        other_data: digests of further data sets that the protocol tests on, by name; filled in for data sets on disk, so that other files
            are another run.
        texts: texts of the classes, for methods that read them; None: there are none.
    """

    method: Component = Component("CoOp")
    head: Component = Component("ITM")
    protocol: Component = Component("BaseToNew")
    data: DataSpec = DataSpec()
    backbone: BackboneSpec = BackboneSpec()
    training: Training | None = None
    shots: int = 16
    seed: int = 1
    other_data: Mapping[str, str] = field(default_factory=dict)
    sample: int | None = None
    texts: TextsSpec | None = None

    def __post_init__(self) -> None:
        for name in (*_COMPONENTS, "data", "backbone", "training", "texts"):
            object.__setattr__(self, name, _part(name, getattr(self, name)))
        for name, least in (("shots", 1), ("seed", 0), *([] if self.sample is None else [("sample", 0)])):
            whole(name, getattr(self, name), least)

    def __hash__(self) -> int:
        return hash(digest(self.as_dict()))

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON, in the order of the fields; without `other_data`, `sample` and `texts` where they say nothing."""
        return {
            k: v.as_dict() if hasattr(v, "as_dict") else _fields(v) if isinstance(v, BackboneSpec) else v
            for k in self.__dataclass_fields__
            if not (k == "sample" and self.sample in (None, self.seed)) and ((v := getattr(self, k)) or k not in ("other_data", "texts"))
        }

    def without_places(self) -> RunSpec:
        """The spec as run files hold it and `run_id` hashes it: of a path whose content has a digest, only the last name is left.

        So is it for a user's own pictures among the protocol's settings, whose digests are in `other_data`, and for finished runs among
        the method's, whose folders have their ids as names.
        """
        return self._placeless

    @cached_property
    def _placeless(self) -> RunSpec:
        data = self.data
        method, protocol = (replace(part, settings=changed(part.settings, placeless)) for part in (self.method, self.protocol))
        others = {placeless(name): sha256 for name, sha256 in self.other_data.items()}
        if data.sha256:
            data = replace(data, name=last_name(data.name))
        texts = self.texts and replace(self.texts, name=last_name(self.texts.name))
        backbone = self.backbone.without_folders()
        stored = replace(self, method=method, protocol=protocol, data=data, backbone=backbone, other_data=others, texts=texts)
        vars(stored)["_placeless"] = stored
        return stored

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> RunSpec:
        """From the data of `as_dict`, or from a part of it; missing parts have their defaults."""
        fields = cls.__dataclass_fields__
        for key in values:
            if key not in fields:
                raise DepthubError(f"unknown key {key!r} in a run's spec{hint(key, fields)}")
        parts: dict[str, Any] = {key: Component.of(value) if key in _COMPONENTS else value for key, value in values.items()}
        return cls(**parts)

    @classmethod
    def stored(cls, values: Mapping[str, Any], run_id: str) -> RunSpec:
        """From the data in a run's document, of which it is known that it has no places and this id."""
        spec = cls.of(values)
        vars(spec).update(run_id=run_id, _placeless=spec)
        return spec

    @cached_property
    def run_id(self) -> str:
        """SHA-256 (hexadecimal) of the RFC 8785 canonical JSON of the spec `without_places`."""
        return digest(self.without_places().as_dict())


def _fields(part: BackboneSpec) -> dict[str, Any]:
    """The fields of a part without parts of its own."""
    return {name: getattr(part, name) for name in part.__dataclass_fields__}


def placeless(name: str) -> str:
    """A data set's name without the path above its files: `folder:colours` for `folder:/home/colours`; other names stay."""
    return last_name(name) if name.startswith((*OWN_DATA, RUN)) else name


def _part(name: str, value: Any) -> Any:
    """A part of a run's spec, from itself, its name or plain data.

    Raises:
        DepthubError: for anything else.
    """
    kind: Any = {"data": DataSpec, "backbone": BackboneSpec, "training": Training, "texts": TextsSpec}.get(name, Component)
    if isinstance(value, kind) or (kind in (Training, TextsSpec) and value is None):
        return value
    if kind is Component and isinstance(value, str | Mapping):
        return Component.of(value)
    if isinstance(value, Mapping):
        return _dataclass_of(kind, value, name)
    if kind is Training or not isinstance(value, str):
        expected = "a Training or None" if kind is Training else f"a name or a {kind.__name__}"
        raise DepthubError(f"{name} is {value!r}, expected {expected}")
    return kind(value)


def _dataclass_of(cls: type, values: Mapping[str, Any], where: str) -> Any:
    for key in values:
        if key not in cls.__dataclass_fields__:  # type: ignore[attr-defined]
            raise DepthubError(f"unknown key '{where}.{key}' in a run's spec{hint(key, cls.__dataclass_fields__)}")  # type: ignore[attr-defined]
    return cls(**values)


def digest(value: Any, texts: Mapping[int, str] = {}) -> str:
    """SHA-256 of a value's canonical JSON (RFC 8785: sorted keys, one form of every number).

    Args:
        value: of JSON.
        texts: see `values.canonical.canonical`.

    Raises:
        DepthubError: for a value that JSON cannot hold.
    """
    try:
        return hashlib.sha256(canonical(value, texts)).hexdigest()
    except (ValueError, RecursionError) as error:  # NaN, an integer beyond 2**53, a lone surrogate, an object that JSON does not have
        raise DepthubError(f"a value that JSON cannot hold: {' '.join(str(error).split())}") from error
