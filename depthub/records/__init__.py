"""What a run leaves: its counts, predictions and files, written in one way and checked whenever they are read."""
