"""Published values for a method, by the name of their source."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from depthub.errors import DepthubError, UnknownNameError
from depthub.registry.plugins import Plugins, installed
from depthub.spec import Component, Preset, RunSpec, Training

DEFAULT = "dept-repo"  # its values are the defaults of constructors and recipe; a method declares the exceptions
RECIPE = ("epochs", "batch_size", "lr")  # fields that belong to every published recipe, also if equal to the defaults


def names(plugins: Plugins, method: str = "") -> list[str]:
    """Names of the presets of a method, the default first; without a method, of all methods."""
    methods = [method] if method else plugins.names("methods")
    declared = {preset.name for each in methods for preset in plugins.get("methods", each).presets}
    return [DEFAULT, *sorted(declared - {DEFAULT})]


def preset(name: str, spec: RunSpec, plugins: Plugins) -> Preset:
    """Values of a preset for the method, protocol, shots and data of a spec.

    Raises:
        UnknownNameError: if no method has the preset.
        DepthubError: if this method does not have it, or not for this protocol, shots and data.
    """
    values = find(name, spec, plugins)
    if values is None:
        _refuse(name, spec, plugins)
    return values


def with_preset(spec: RunSpec, name: str) -> RunSpec:
    """A spec completed from a preset: the settings of its method that it omits, and the recipe.

    The same as `--preset` on the command line: `depthub.run(depthub.with_preset(RunSpec(method="KgCoOp"), "original"))`.

    Args:
        spec: its method, protocol, data and shots select the values; its own settings of the method stay. It must not have a recipe, which
            would state every value: change single values of the result (`dataclasses.replace`).
        name: name of the preset, for example "original".

    Raises:
        UnknownNameError: if no method has the preset.
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


def find(name: str, spec: RunSpec, plugins: Plugins) -> Preset | None:
    """The first preset of the spec's method with this name that fits the spec; None if there is none. The default preset always exists."""
    declared: tuple[Preset, ...] = plugins.get("methods", spec.method.name).presets
    default = Preset(name) if name == DEFAULT else None
    return next((preset for preset in declared if preset.name == name and preset.fits(spec)), default)


def preset_fields(method: str, plugins: Plugins) -> tuple[frozenset[str], frozenset[str]]:
    """All settings of a method, and all fields of its recipe, that at least one of its presets sets."""
    presets = plugins.get("methods", method).presets
    settings = frozenset(key for preset in presets for key in preset.settings)
    return settings, frozenset([*RECIPE, *(key for preset in presets for key in preset.training)])


def recipe(spec: RunSpec, plugins: Plugins) -> Training:
    """The recipe of a spec; if it has none, that of the default preset for its method."""
    return spec.training or Training(**preset(DEFAULT, spec, plugins).training)


def matching(spec: RunSpec, plugins: Plugins) -> list[str]:
    """Names of the presets that a spec agrees with in all settings and the whole recipe, however its values were set: for the run file."""
    presets = {name: find(name, spec, plugins) for name in names(plugins, spec.method.name)}
    return [name for name, preset in presets.items() if preset is not None and _agrees(spec, preset, plugins)]


def _refuse(name: str, spec: RunSpec, plugins: Plugins) -> NoReturn:
    method = spec.method.name
    presets = names(plugins, method)
    if name in presets:
        raise DepthubError(
            f"preset {name!r} of {method} has no values for {spec.protocol.name} on {spec.data.name} with {spec.shots} shots; "
            f"{DEFAULT!r} has"
        )
    if name in names(plugins):
        raise DepthubError(f"{method} has no preset {name!r}; it has: {', '.join(presets)}")
    raise UnknownNameError("preset", name, presets)


def _agrees(spec: RunSpec, preset: Preset, plugins: Plugins) -> bool:
    from depthub.registry.settings import complete

    published, actual = Training(**preset.training), recipe(spec, plugins)
    if published.augmentation == "auto":  # a resolved spec has the data set's own in its place: then it is not compared
        published = replace(published, augmentation=actual.augmentation)
    if published != actual:
        return False
    method = Component(spec.method.name, preset.settings)
    return complete(method, "methods", plugins) == complete(spec.method, "methods", plugins)
