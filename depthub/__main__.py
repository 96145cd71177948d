"""`python -m depthub`."""

from __future__ import annotations

import sys

from depthub.cli import main

sys.exit(main())
