"""Statistics of runs: pure functions of percentages, without models or files."""
