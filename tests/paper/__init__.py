"""Tests of `depthub.paper`."""
