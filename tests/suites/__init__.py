"""Tests of `depthub.suites`."""
