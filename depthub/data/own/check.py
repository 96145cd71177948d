"""The check of a user's own pictures: their arrangement, and trial decoding of all."""

from __future__ import annotations

from collections.abc import Sequence

from depthub.data.check_report import LEVELS, Fault, Report, Severity
from depthub.data.decode import BROKEN, HARMLESS, Progress, oddities
from depthub.data.own.own_pictures import OwnPictures
from depthub.errors import DepthubError

LAYOUT, DECODING = LEVELS.index("layout"), LEVELS.index("decoding")
NOT_PUBLISHED = "these are pictures of your own: nothing is published to compare them with"


def check_own(dataset: OwnPictures, progress: Progress = lambda done, total: None) -> Report:
    """Check a user's own pictures; the report has every unreadable one, not only the first. Nothing is written.

    Args:
        dataset: a folder or a list.
        progress: called with the numbers of pictures decoded and of all.
    """
    skipped = {level: NOT_PUBLISHED for level in range(len(LEVELS)) if level not in (LAYOUT, DECODING)}
    try:
        data = dataset.unopened()
    except DepthubError as error:
        fault = Fault(LAYOUT, (dataset.name,), str(error), "then check again")
        return Report(dataset.name, (fault,), {**skipped, DECODING: "there is no list of the pictures"}, {})
    names = [name for examples in (data.train, data.val, data.test) if examples for name in examples.ids]
    findings = oddities(dataset.read.root, names, progress)
    faults = [_fault(finding, of_finding, dataset.read.remedy) for finding, of_finding in findings.items()]
    return Report(dataset.name, tuple(faults), skipped, {LAYOUT: "; ".join(data.notes)} if data.notes else {})


def _fault(finding: str, names: Sequence[str], remedy: str) -> Fault:
    severity: Severity = "fault" if finding.startswith(BROKEN) else "warning"
    return Fault(DECODING, tuple(names), finding, remedy if severity == "fault" else HARMLESS, severity)
