"""Real pictures that come inside Python packages, small enough for the embedded CLIP."""

from __future__ import annotations

from depthub import DataSet, hookimpl


@hookimpl
def depthub_datasets() -> list[DataSet]:
    from depthub_pictures.mnist import Mnist

    return [Mnist()]
