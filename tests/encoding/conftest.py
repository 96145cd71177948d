"""Fixtures of all tests of encoders: a tiny model's configuration and weights as files."""

from __future__ import annotations

from tests.archives import _config, _quick, _weights  # noqa: F401
