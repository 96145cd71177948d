"""What plugins hand over, checked once in every run: what cannot give a right number is refused in one line.

`data`: data sets; `stages`: protocols; `outputs`: methods and heads; `frozen`: the backbone that all of them share; `owner`: whose it is.
"""

from __future__ import annotations

from depthub.boundary.data import check_classes, check_data
from depthub.boundary.stages import check_scores, check_stages

__all__ = ["check_classes", "check_data", "check_scores", "check_stages"]
