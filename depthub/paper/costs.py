"""What runs cost: operations with and without what runs share, and those of the published code, as hours at a stated speed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from depthub.paper.published_cost import published_counter
from depthub.registry.plugins import installed
from depthub.running.resolved import Resolved
from depthub.suites.operations import counter, towers_of
from depthub.suites.sharing import encodings


def costs(runs: Sequence[Resolved]) -> dict[str, float | int] | None:
    """Costs of runs, counted from the configurations of their models and the sizes of their data sets.

    Args:
        runs: of one model.

    Returns:
        `images_alone` and `images_shared`, encodings of images; operations `alone`, `shared` and `published`, the last of the published
        code. None if the model has no configuration on this machine.
    """
    plugins = installed()
    count, published = counter(runs, plugins), published_counter(runs, plugins)
    if not runs or count is None or published is None:
        return None
    towers = towers_of(runs[0].spec.backbone, plugins)
    assert towers is not None, "it was counted"
    images_alone, images_shared = encodings(runs, plugins)
    alone = sum(count(run)[0] for run in runs)
    saved = (images_alone - images_shared) * towers.image.operations()
    return {
        "images_alone": images_alone,
        "images_shared": images_shared,
        "alone": alone,
        "shared": alone - saved,
        "published": sum(published(run) for run in runs),
    }


def hours(operations: float, rate: float) -> float:
    """Hours of so many operations at a rate in operations per second."""
    return operations / rate / 3600


def with_hours(counted: dict[str, Any], rate: float) -> dict[str, Any]:
    """Costs with the hours of each number of operations.

    Args:
        counted: of `costs`.
        rate: operations per second.
    """
    of_hours = {key: hours(counted[key], rate) for key in ("published", "alone", "shared")}
    return {**counted, "operations_per_second": rate, "hours": of_hours}
