"""Whether pictures of one's own can be used: how they are arranged, and every one of them decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from depthub.data.check_report import LEVELS, Fault, Report
from depthub.data.decode import BROKEN, HARMLESS, Progress, oddities
from depthub.data.own.own_pictures import OwnPictures
from depthub.errors import DepthubError

LAYOUT, DECODING = LEVELS.index("layout"), LEVELS.index("decoding")
NOT_PUBLISHED = "these are pictures of your own: nothing is published to compare them with"


def check_own(dataset: OwnPictures, progress: Progress = lambda done, total: None) -> Report:
    """Look at a user's own pictures; all that cannot be read are reported, not the first alone. Nothing is written.

    Args:
        dataset: a folder or a list.
        progress: told the numbers of pictures decoded and of all.
    """
    skipped = {level: NOT_PUBLISHED for level in range(len(LEVELS)) if level not in (LAYOUT, DECODING)}
    try:
        data = dataset.unopened()
    except DepthubError as error:
        fault = Fault(LAYOUT, (dataset.name,), str(error), "then check again")
        return Report(dataset.name, (fault,), {**skipped, DECODING: "which pictures there are is not known"}, {})
    names = [name for examples in (data.train, data.val, data.test) if examples for name in examples.ids]
    found = oddities(dataset.read.root, names, progress)
    faults = [_fault(finding, own, dataset.read.remedy) for finding, own in found.items()]
    return Report(dataset.name, tuple(faults), skipped, {LAYOUT: "; ".join(data.notes)} if data.notes else {})


def _fault(finding: str, names: Sequence[str], remedy: str) -> Fault:
    severity: Literal["fault", "warning"] = "fault" if finding.startswith(BROKEN) else "warning"
    return Fault(DECODING, tuple(names), finding, remedy if severity == "fault" else HARMLESS, severity)
