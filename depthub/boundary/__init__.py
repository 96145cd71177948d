"""Checks of all values that plugins return to a run, each once per run. A value that could make a number wrong is refused in one line.

`data`: data sets; `stages`: protocols; `outputs`: methods and heads; `frozen`: the backbone that they share; `owner`: names in messages.
"""

from __future__ import annotations

from depthub.boundary.data import check_classes, check_data
from depthub.boundary.stages import check_scores, check_stages

__all__ = ["check_classes", "check_data", "check_scores", "check_stages"]
