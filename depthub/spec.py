"""The spec of a run: plain, hashable data that decides about its numbers, with nothing about places or speed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePath
from typing import Any, Literal, get_args

from depthub.errors import DepthubError, hint
from depthub.types import filled
from depthub.values.canonical import canonical
from depthub.values.checks import choice, number, text, whole

Decoding = Literal["exact", "draft"]
MOST = 1e6  # for rates and decays: beyond it single precision overflows within a step
HUB = "hf-hub:"  # before the name of a model on the Hugging Face Hub
OWN_DATA = ("folder:", "list:")  # before the path of a user's own pictures
SCHEMES = (*OWN_DATA, "local-dir:")  # before a path
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
        return replace(self, model=_last_name(self.model), pretrained=_last_name(self.pretrained)) if self.sha256 else self


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
class Training:
    """The recipe. Its defaults produced the tables of the DePT paper.

    Args:
        epochs: passes over the training images; the first `warmup_epochs` of them at the warm-up rate.
        batch_size: images per step, over all processes together.
        lr: learning rate of the prompts; that of a head is this times its `lr_scale`.
        momentum: of SGD, without dampening or Nesterov.
        weight_decay: for all tuned parameters.
        warmup_epochs: epochs at the constant rate `warmup_lr`.
        warmup_lr: learning rate of every parameter group during warm-up.
        augmentation: views of the training images: "published" (random resized crop and flip), "none" (the test transform), or
            "auto", the ones that the data set declares.
        precision: "fp32", or mixed precision "bf16" or "fp16".
    """

    epochs: int = 10
    batch_size: int = 4
    lr: float = 0.0035
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup_epochs: int = 1
    warmup_lr: float = 1e-5
    augmentation: Literal["auto", "published", "none"] = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"

    def __post_init__(self) -> None:
        for name, least in (("epochs", 0), ("batch_size", 1), ("warmup_epochs", 0)):
            whole(f"training.{name}", getattr(self, name), least)
        for name, below in (("lr", MOST), ("momentum", 1.0), ("weight_decay", MOST), ("warmup_lr", MOST)):
            number(f"training.{name}", getattr(self, name), 0.0, below)
        choice("training.augmentation", self.augmentation, ("auto", "published", "none"))
        choice("training.precision", self.precision, ("fp32", "bf16", "fp16"))


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

    def __post_init__(self) -> None:
        for name in (*_COMPONENTS, "data", "backbone", "training"):
            object.__setattr__(self, name, _part(name, getattr(self, name)))
        for name, least in (("shots", 1), ("seed", 0), *([] if self.sample is None else [("sample", 0)])):
            whole(name, getattr(self, name), least)

    def __hash__(self) -> int:
        return hash(digest(self.as_dict()))

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON, in the order of the fields; without `other_data` and `sample` where they say nothing."""
        return {
            k: v.as_dict() if isinstance(v, Component | DataSpec) else _fields(v) if isinstance(v, BackboneSpec | Training) else v
            for k in self.__dataclass_fields__
            if not (k == "sample" and self.sample in (None, self.seed)) and ((v := getattr(self, k)) or k != "other_data")
        }

    def without_places(self) -> RunSpec:
        """The spec as run files hold it and `run_id` hashes it: of a path whose content has a digest, only the last name is left.

        So is it for a user's own pictures among the protocol's settings; their digests are in `other_data`.
        """
        return self._placeless

    @cached_property
    def _placeless(self) -> RunSpec:
        data = self.data
        protocol = replace(self.protocol, settings=changed(self.protocol.settings, placeless))
        others = {placeless(name): sha256 for name, sha256 in self.other_data.items()}
        if data.sha256:
            data = replace(data, name=_last_name(data.name))
        stored = replace(self, protocol=protocol, data=data, backbone=self.backbone.without_folders(), other_data=others)
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


def _fields(part: BackboneSpec | Training) -> dict[str, Any]:
    """The fields of a part without parts of its own."""
    return {name: getattr(part, name) for name in part.__dataclass_fields__}


def placeless(name: str) -> str:
    """A data set's name without the path above its files: `folder:colours` for `folder:/home/colours`; other names stay."""
    return _last_name(name) if name.startswith(OWN_DATA) else name


def changed(value: Any, change: Callable[[str], str]) -> Any:
    """A value with every text in it changed, at any depth of lists and mappings; keys stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: changed(inner, change) for key, inner in value.items()}
    return type(value)(changed(inner, change) for inner in value) if isinstance(value, list | tuple) else value


def _last_name(path: str) -> str:
    """A path without the folders above it, but with its scheme: `local-dir:clip` for `local-dir:/home/clip`."""
    if path.startswith(HUB):  # a name, not a place
        return path
    scheme = next((scheme for scheme in SCHEMES if path.startswith(scheme)), "")
    return scheme + PurePath(path.removeprefix(scheme)).name


def _part(name: str, value: Any) -> Any:
    """A part of a run's spec, from itself, its name or plain data.

    Raises:
        DepthubError: for anything else.
    """
    kind: Any = {"data": DataSpec, "backbone": BackboneSpec, "training": Training}.get(name, Component)
    if isinstance(value, kind) or (kind is Training and value is None):
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
