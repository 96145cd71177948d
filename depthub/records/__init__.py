"""Results of runs: counts, predictions and files, written in one way and checked whenever they are read."""
