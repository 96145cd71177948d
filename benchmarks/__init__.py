"""Speed, measured beside a plain reference in the same process, with parity asserted and time only reported."""

from __future__ import annotations
