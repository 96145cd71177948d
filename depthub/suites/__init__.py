"""Suites: many runs, planned and done together, and the boards that they fill."""
