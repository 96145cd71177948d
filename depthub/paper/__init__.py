"""The paper's tables and figures, measured anew beside the numbers in print."""
