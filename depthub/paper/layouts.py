"""Layouts: how the runs of each kind of exhibit are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from depthub.paper.channel_panels import channels
from depthub.paper.charts import pairs, shots_curve, sweeps
from depthub.paper.class_cuts import cuts
from depthub.paper.exhibit import Exhibit
from depthub.paper.gain_on_new import gain
from depthub.paper.pictures import require_matplotlib
from depthub.paper.selection import Selection
from depthub.paper.shown import Shown
from depthub.paper.tables import averages, data_sets, shots, transfer
from depthub.paper.traits import methods

PICTURED = ("pairs", "channels", "sweeps", "shots curve")
LAYOUTS: Mapping[str, Callable[[Selection], Shown]] = {
    "averages": averages,
    "data sets": data_sets,
    "transfer": transfer,
    "methods": methods,
    "shots": shots,
    "pairs": pairs,
    "channels": channels,
    "sweeps": sweeps,
    "shots curve": shots_curve,
    "gain": gain,
    "cuts": cuts,
}


def require_packages(exhibits: Iterable[Exhibit]) -> None:
    """Refuse exhibits whose pictures need a package that is missing, before the work that they are to show.

    Raises:
        DepthubError: with the remedy.
    """
    if any(exhibit.kind in PICTURED for exhibit in exhibits):
        require_matplotlib()
