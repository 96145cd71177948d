"""Statistics of runs: pure functions of percentages, which need neither the models nor the files that these come from."""
