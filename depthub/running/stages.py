"""What a run trains and tests: the stages that its protocol makes, and the data sets that it asks for on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from depthub.boundary import check_stages
from depthub.boundary.owner import within
from depthub.data.own.by_name import absolute_name
from depthub.errors import DepthubError
from depthub.spec import placeless

if TYPE_CHECKING:
    from depthub.data.class_texts import ClassTexts
    from depthub.data.dataset import Data
    from depthub.protocol import Protocol, Stage
    from depthub.running.loaded_data import LoadedData
    from depthub.spec import RunSpec


def stages_of(
    spec: RunSpec, protocol: Protocol, source: LoadedData, load_beside: Callable[[str], LoadedData], texts: ClassTexts | None = None
) -> tuple[tuple[Stage, ...], dict[str, LoadedData]]:
    """The stages of a run, and its data sets by name without paths, the run's own first.

    Args:
        spec: of the run.
        protocol: of the run.
        source: the run's own data set.
        load_beside: loads a further data set by its name.
        texts: of all their classes.

    Raises:
        DepthubError: for stages that cannot give a right number, for two data sets that differ in their paths only, and for classes without
            texts where there are some.
    """
    sources = {placeless(source.name): source}

    def load(name: str) -> Data:
        path, label = absolute_name(name), placeless(absolute_name(name))
        if label not in sources:
            sources[label] = load_beside(path)
        elif sources[label].name != path:
            raise DepthubError(
                f"{sources[label].name!r} and {path!r} are both {label!r} without their paths, which no result shows; "
                "rename one, or name a link to it"
            )
        return given(label)

    def given(label: str) -> Data:
        data = sources[label].data.named(label)
        return replace(data, classes=texts.of(data.classes)) if texts else data

    sample = spec.seed if spec.sample is None else spec.sample
    with within("protocol", protocol):
        stages = protocol.stages(given(placeless(source.name)), load, spec.shots, sample)
    check_stages(stages, {label: loaded.data for label, loaded in sources.items()}, spec.protocol.name, protocol)
    return tuple(stages), sources
