"""Published values for a method, by the name of where they come from."""

from __future__ import annotations

from depthub.errors import UnknownNameError
from depthub.plugins import Plugins
from depthub.settings import complete
from depthub.spec import Component, Preset, RunSpec, Training

DEFAULT = "dept-repo"  # constructors' and recipes' defaults are its values; a method says where it differs


def names(plugins: Plugins) -> list[str]:
    """All presets that methods declare, the default first."""
    declared = {preset.name for name in plugins.names("methods") for preset in plugins.get("methods", name).presets}
    return [DEFAULT, *sorted(declared - {DEFAULT})]


def preset(name: str, spec: RunSpec, plugins: Plugins) -> Preset:
    """The values that a preset gives the spec's method; those of the default where it says nothing else.

    Raises:
        UnknownNameError: if no method knows the preset.
    """
    if name not in names(plugins):
        raise UnknownNameError("preset", name, names(plugins))
    for found in plugins.get("methods", spec.method.name).presets:
        if found.name == name and found.fits(spec):
            return found  # type: ignore[no-any-return]
    return Preset(name) if name == DEFAULT else preset(DEFAULT, spec, plugins)


def recipe(spec: RunSpec, plugins: Plugins) -> Training:
    """The spec's recipe, or the default preset's for its method."""
    return spec.training or Training(**preset(DEFAULT, spec, plugins).training)


def matching(spec: RunSpec, plugins: Plugins) -> list[str]:
    """Presets whose values a resolved spec has, whoever chose them: what a run file records."""
    found = []
    for name in names(plugins):
        values = preset(name, spec, plugins)
        method = complete(Component(spec.method.name, values.settings), "methods", plugins)
        training = Training(**values.training)
        same = all(getattr(training, field) == getattr(spec.training, field) for field in ("epochs", "batch_size", "lr"))
        if same and method == spec.method and values.name == name:
            found.append(name)
    return found
