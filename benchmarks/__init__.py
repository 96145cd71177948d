"""Speed, measured beside a plain reference in the same process: parity is asserted, time only reported."""

from __future__ import annotations
