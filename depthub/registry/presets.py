"""Published values for a method, by the name of where they come from."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import NoReturn

from depthub.errors import DepthubError, UnknownNameError
from depthub.registry.plugins import Plugins, installed
from depthub.spec import Component, Preset, RunSpec, Training

DEFAULT = "dept-repo"  # constructors' and recipes' defaults are its values; a method says where it differs
RECIPE = ("epochs", "batch_size", "lr")  # what every published recipe says, be it by the defaults


def names(plugins: Plugins, method: str = "") -> list[str]:
    """The presets that a method has, the default first; without a method, those of all."""
    methods = [method] if method else plugins.names("methods")
    declared = {preset.name for one in methods for preset in plugins.get("methods", one).presets}
    return [DEFAULT, *sorted(declared - {DEFAULT})]


def preset(name: str, spec: RunSpec, plugins: Plugins) -> Preset:
    """The values that a preset gives the spec's method, for the spec's protocol, shots and data.

    Raises:
        UnknownNameError: if no method knows the preset.
        DepthubError: if this method does not have it, or not for this protocol, shots and data.
    """
    values = found(name, spec, plugins)
    if values is None:
        _refuse(name, spec, plugins)
    return values


def with_preset(spec: RunSpec, name: str) -> RunSpec:
    """A spec with a preset's values: those settings of its method that it leaves out, and the recipe.

    What `--preset` does on the command line, as in `depthub.run(depthub.with_preset(RunSpec(method="KgCoOp"), "original"))`.

    Args:
        spec: whose method, protocol, data and shots decide which values apply; settings that it states itself stay. A recipe states every
            value, hence must not be there: change single values afterwards (`dataclasses.replace`).
        name: of the preset, "original" for example.

    Raises:
        UnknownNameError: if no method knows the preset.
        DepthubError: if this method does not have it, or not for this protocol, shots and data, or if the spec has another recipe.
    """
    values = preset(name, spec, installed())
    training = Training(**values.training)
    if spec.training not in (None, training):
        raise DepthubError(
            f"the spec has a recipe of its own, beside preset {name!r}; leave training out, and change values of it afterwards"
        )
    settings = {**values.settings, **spec.method.settings}
    return replace(spec, method=Component(spec.method.name, settings), training=training)


def found(name: str, spec: RunSpec, plugins: Plugins) -> Preset | None:
    """The same, or None where the spec's method has no such values. Of several that fit the first counts."""
    declared: tuple[Preset, ...] = plugins.get("methods", spec.method.name).presets
    return next((one for one in declared if one.name == name and one.fits(spec)), Preset(name) if name == DEFAULT else None)


def governed(method: str, plugins: Plugins) -> tuple[frozenset[str], frozenset[str]]:
    """The settings of a method, and the fields of its recipe, that are a preset's to say: what any of its presets says."""
    presets = plugins.get("methods", method).presets
    return frozenset(key for one in presets for key in one.settings), frozenset(
        [*RECIPE, *(key for one in presets for key in one.training)]
    )


def recipe(spec: RunSpec, plugins: Plugins) -> Training:
    """The spec's recipe, or the default preset's for its method."""
    return spec.training or Training(**preset(DEFAULT, spec, plugins).training)


def matching(spec: RunSpec, plugins: Plugins) -> list[str]:
    """Presets whose values a spec has, whoever chose them: what a run file records. All settings and the whole recipe count."""
    return [name for name in names(plugins, spec.method.name) if (values := found(name, spec, plugins)) and _has(spec, values, plugins)]


def _refuse(name: str, spec: RunSpec, plugins: Plugins) -> NoReturn:
    method = spec.method.name
    own = names(plugins, method)
    if name in own:
        raise DepthubError(
            f"preset {name!r} of {method} has no values for {spec.protocol.name} on {spec.data.name} with {spec.shots} shots; "
            f"{DEFAULT!r} has"
        )
    if name in names(plugins):
        raise DepthubError(f"{method} has no preset {name!r}; it has: {', '.join(own)}")
    raise UnknownNameError("preset", name, own)


def _has(spec: RunSpec, values: Preset, plugins: Plugins) -> bool:
    from depthub.registry.settings import complete

    wanted, held = Training(**values.training), recipe(spec, plugins)
    # "auto" is the data set's own augmentation, which a resolved spec calls by its name
    compared = [field.name for field in fields(Training) if (field.name, wanted.augmentation) != ("augmentation", "auto")]
    same = all(getattr(wanted, name) == getattr(held, name) for name in compared)
    return same and complete(Component(spec.method.name, values.settings), "methods", plugins) == complete(spec.method, "methods", plugins)
