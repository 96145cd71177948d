"""Runs: resolved from specs, done here or through executors, and found again when their results are stored."""
