"""A parsed command line of `depthub run` as specs and options of runs."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from depthub.data.own.naming import read_names
from depthub.errors import DepthubError
from depthub.running.options import RunOptions
from depthub.spec import BackboneSpec, Component, DataSpec, RunSpec, TextsSpec, Training

if TYPE_CHECKING:
    from depthub.executor import Executor


def specs(config: Namespace) -> list[RunSpec]:
    """The runs of a parsed command line, one per seed.

    Raises:
        DepthubError: for values that no run can have.
    """
    default = RunSpec()
    # without the plugin of a default there is no choice; the spec then names what is missing
    method, head, protocol = (
        _component(config[part]) if config[part] else getattr(default, part) for part in ("method", "head", "protocol")
    )
    spec = RunSpec(
        method=method,
        head=head,
        protocol=protocol,
        data=_data(config),
        backbone=BackboneSpec(**config.backbone.as_dict()),
        training=Training(**config.training.as_dict()),
        shots=config.shots,
        seed=config.seed,
        sample=config.sample,
        texts=TextsSpec(config.texts) if config.texts else None,
    )
    for seed in config.seeds:
        if config.seeds.count(seed) > 1:
            raise DepthubError(f"--seeds names {seed} twice, expected each seed once")
    return [replace(spec, seed=seed) for seed in config.seeds or [config.seed]]


def options(config: Namespace) -> RunOptions:
    """The options of a parsed command line that do not affect results."""
    values = {field.name: config[field.name] for field in fields(RunOptions) if field.name in config and field.name != "image_cache"}
    return RunOptions(**values, image_cache=_image_cache(config.image_cache))


def executor(config: Namespace) -> Executor | None:
    """The executor that `--executor` chooses; None: this process."""
    from depthub.registry.plugins import installed

    if not config.executor:
        return None
    choice = _component(config.executor)
    instance: Executor = installed().get("executors", choice.name)(**choice.settings)
    return instance


def _component(choice: Namespace) -> Component:
    """A choice in jsonargparse's form as a component; choices within it likewise."""
    settings = vars(choice.init_args) if "init_args" in choice else {}
    plain = {name: _component(value) if isinstance(value, Namespace) else value for name, value in settings.items()}
    return Component(choice.class_path.rpartition(".")[2], plain)


def _data(config: Namespace) -> DataSpec:
    names = read_names(config.class_names) if config.class_names else {}
    return DataSpec(
        config.data,
        config.test_fraction,
        decoding=config.decoding,
        background=config.background,
        template=config.template,
        class_names=names,
    )


def _image_cache(folder: str) -> Path | None:
    """The folder for decoded images; "auto" is beside the cache of image features."""
    from depthub.system.disk_cache import Cache
    from depthub.system.files import PLACE

    if folder != "auto":
        return Path(folder) if folder else None
    features = Cache.here()
    if features is None:
        raise DepthubError(f"--image_cache is auto, but {PLACE} turns caches off; name a folder")
    return features.folder.parent / "images"
