"""What a run is: plain, hashable data that says everything about the numbers and nothing about place or speed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import PurePath
from typing import Any, Literal, get_args

import rfc8785

from depthub.errors import DepthubError, hint

Decoding = Literal["exact", "draft"]


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
        """From a name, or from what `as_dict` gave."""
        if isinstance(value, Component):
            return value
        if isinstance(value, str):
            return cls(value)
        nested = {k: cls.of(v) if isinstance(v, Mapping) and v.keys() == {"name", "settings"} else v for k, v in value["settings"].items()}
        return cls(value["name"], nested)


@dataclass(frozen=True)
class BackboneSpec:
    """A frozen CLIP-like model.

    Args:
        model: a backbone that a plugin provides ("shapes"), an open_clip model name, `local-dir:PATH`, or the path of a model
            configuration (JSON).
        pretrained: open_clip's tag of the weights, or the path of a checkpoint; empty for models that bring their own.
        sha256: of the weights; filled in when the weights are a local file, so that another file is another run.
    """

    model: str = "shapes"
    pretrained: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class NamedBackbone:
    """A backbone that a plugin provides under a name of its own.

    Args:
        name: its public name.
        model: an open_clip model name, or `local-dir:PATH`.
        pretrained: open_clip's tag of the weights, or the path of a checkpoint.
        summary: one line for the list of plugins.
    """

    name: str
    model: str
    pretrained: str = ""
    summary: str = ""


@dataclass(frozen=True)
class Training:
    """The recipe. Defaults are those that produced the DePT paper's tables.

    Args:
        epochs: passes over the training images; the first `warmup_epochs` of them at the warm-up rate.
        batch_size: images a step, over all processes together.
        lr: learning rate of the prompts; a head's own is this times its `lr_scale`.
        momentum: of SGD, without dampening or Nesterov.
        weight_decay: on everything that is tuned.
        warmup_epochs: epochs at the constant rate `warmup_lr`.
        warmup_lr: learning rate of every parameter group during warm-up.
        augmentation: views of the training images: "published" (random resized crop and flip), "none" (the test transform), or
            "auto", what the data set declares fit.
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
            if getattr(self, name) < least:
                raise DepthubError(f"training.{name} is {getattr(self, name)}, expected at least {least}")


@dataclass(frozen=True)
class Preset:
    """Published values for a method, as data.

    Args:
        name: "dept-repo", what produced the DePT paper's tables, or "original", the method's own repository.
        settings: of the method.
        training: of the recipe; fields of `Training`.
        protocols: for these only; empty: for all.
        shots: for these numbers only; empty: for all.
        data: for these data sets only, as the originals have it; empty: for all.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    protocols: tuple[str, ...] = ()
    shots: tuple[int, ...] = ()
    data: tuple[str, ...] = ()

    def fits(self, spec: RunSpec) -> bool:
        """Whether it is meant for the spec's protocol, shots and data."""
        asked = ((spec.protocol.name, self.protocols), (spec.shots, self.shots), (spec.data.name, self.data))
        return all(not wanted or value in wanted for value, wanted in asked)


@dataclass(frozen=True)
class DataSpec:
    """A data set by name.

    Args:
        name: a data set that a plugin provides, or `folder:PATH` for your own images.
        test_fraction: share of each class held out for testing, for folders without `train/` and `test/`.
        sha256: of the list of files; filled in for what lies on disk, so that other files are another run.
        decoding: of JPEG files for the test transform: "exact", or "draft": large pictures are decoded at a half, a quarter or an eighth
            of their size, at least twice what the model reads. Faster, and other pixels, hence another run.
    """

    name: str = "tones"
    test_fraction: float = 0.5
    sha256: str = ""
    decoding: Decoding = "exact"

    def __post_init__(self) -> None:
        if self.decoding not in get_args(Decoding):
            raise DepthubError(f"data.decoding is {self.decoding!r}, expected exact or draft")

    def as_dict(self) -> dict[str, Any]:
        """Plain data; exact decoding goes without saying, so that runs from before there was a choice keep their ids."""
        return {k: v for k, v in vars(self).items() if (k, v) != ("decoding", "exact")}


@dataclass(frozen=True)
class RunSpec:
    """One run: method, head and protocol on one data set, with one seed.

    Two runs are the same exactly if their resolved specs are equal; `run_id` names them.

    Args:
        method, head, protocol: by name, with settings; those left out take their defaults.
        data: the data set trained on.
        backbone: the frozen model.
        training: the recipe; None: the one that the DePT paper's tables use for this method.
        shots: training images a class.
        seed: of the few-shot sample, the initialisation and the order of the images.
    """

    method: Component = Component("CoOp")
    head: Component = Component("ITM")
    protocol: Component = Component("BaseToNew")
    data: DataSpec = DataSpec()
    backbone: BackboneSpec = BackboneSpec()
    training: Training | None = None
    shots: int = 16
    seed: int = 1

    def __post_init__(self) -> None:
        for name, least in (("shots", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise DepthubError(f"{name} is {getattr(self, name)}, expected at least {least}")

    def as_dict(self) -> dict[str, Any]:
        """Plain data in the order of the fields, fit for JSON."""
        return {
            k: v.as_dict() if isinstance(v, Component | DataSpec) else asdict(v) if isinstance(v, BackboneSpec | Training) else v
            for k, v in vars(self).items()
        }

    def without_places(self) -> RunSpec:
        """The spec with paths cut to their last name wherever a `sha256` says what is there: what a run file holds and `run_id` hashes."""
        data, backbone = self.data, self.backbone
        if data.sha256:
            data = replace(data, name=_last_name(data.name))
        if backbone.sha256:
            backbone = replace(backbone, model=_last_name(backbone.model), pretrained=_last_name(backbone.pretrained))
        return replace(self, data=data, backbone=backbone)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> RunSpec:
        """From what `as_dict` gave, or from a part of it; the rest takes the defaults."""
        parts = {"data": DataSpec, "backbone": BackboneSpec, "training": Training}
        fields = cls.__dataclass_fields__
        made: dict[str, Any] = {}
        for key, value in values.items():
            if key not in fields:
                raise DepthubError(f"unknown key {key!r} in a run's spec{hint(key, fields)}")
            if key in ("method", "head", "protocol"):
                made[key] = Component.of(value)
            elif key in parts and isinstance(value, Mapping):
                made[key] = _dataclass_of(parts[key], value, key)
            else:
                made[key] = value
        return cls(**made)

    @property
    def run_id(self) -> str:
        """SHA-256 (hexadecimal) of the RFC 8785 canonical JSON of the spec `without_places`."""
        return digest(self.without_places().as_dict())


def _last_name(path: str) -> str:
    scheme, colon, rest = path.rpartition(":")
    return scheme + colon + PurePath(rest).name


def _dataclass_of(cls: type, values: Mapping[str, Any], where: str) -> Any:
    for key in values:
        if key not in cls.__dataclass_fields__:  # type: ignore[attr-defined]
            raise DepthubError(f"unknown key '{where}.{key}' in a run's spec{hint(key, cls.__dataclass_fields__)}")  # type: ignore[attr-defined]
    return cls(**values)


def digest(value: Any) -> str:
    """SHA-256 of a value's canonical JSON (RFC 8785: sorted keys, one spelling of every number)."""
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()
