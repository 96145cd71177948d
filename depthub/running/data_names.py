"""A spec's data set: the one that its name means, and the one form of the spec that equal runs share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from depthub.data.dataset import DataSet
from depthub.data.own.by_name import absolute_name, is_own, own_data_set
from depthub.data.own.naming import Naming
from depthub.data.own.own_pictures import OwnPictures
from depthub.data.pictures import colour
from depthub.errors import DepthubError
from depthub.registry.aliases import names_of_alias
from depthub.registry.plugins import Plugins
from depthub.spec import DataSpec
from depthub.values.places import changed

# fields of a `DataSpec` that are for a user's own pictures only, and the reason
OWN_PICTURES_ONLY = {
    "background": "is read as published",
    "test_fraction": "has a test set of its own",
    "template": "has a template of its own",
    "class_names": "has class names of its own",
}


def data_set_of(spec: DataSpec, plugins: Plugins, *, test_only: bool = False) -> DataSet:
    """The data set that a spec means.

    Args:
        spec: of the data set.
        plugins: that provide data sets.
        test_only: it is used for testing only: where no split is given, all of a user's own pictures are then test images.

    Raises:
        DepthubError: for an unknown name, or for settings that this data set does not take.
    """
    naming = Naming(spec.class_names, spec.template)
    if pictures := own_data_set(spec.name, spec.test_fraction, spec.background, naming=naming, whole=test_only):
        return pictures
    for setting, reason in OWN_PICTURES_ONLY.items():
        if getattr(spec, setting) != getattr(DataSpec(), setting):
            raise DepthubError(f"{setting} is for folder:PATH and list:FILE only; data set {spec.name!r} {reason}")
    data_sets = plugins.all("datasets")
    if spec.name not in data_sets and (names := names_of_alias(spec.name, data_sets)):
        raise DepthubError(f"unknown data set {spec.name!r}; did you mean {names[0]!r}?")
    data_set: DataSet = plugins.get("datasets", spec.name)
    return data_set


def absolute(spec: DataSpec) -> DataSpec:
    """The spec with the absolute path of a user's own pictures, and their background colour in one form."""
    return replace(spec, name=absolute_name(spec.name), background=colour(spec.background)) if is_own(spec.name) else spec


def absolute_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with an absolute path in every name of a user's own pictures, at any depth: `targets: [folder:pets]` for example."""
    return {name: changed(value, absolute_name) for name, value in settings.items()}


def canonical(spec: DataSpec, data_set: DataSet) -> DataSpec:
    """The spec in the form that equal runs share: unused values are back at their defaults.

    Args:
        spec: of the data set.
        data_set: the one that it means.
    """
    if not isinstance(data_set, OwnPictures):
        return spec
    naming = data_set.canonical
    share = spec.test_fraction if data_set.divides else DataSpec.test_fraction
    return replace(spec, test_fraction=share, class_names=naming.names, template=naming.template)
