"""The version, in its one place: the build reads it here, and so does `depthub.__version__`."""

from __future__ import annotations

__version__ = "0.1.0"
