"""A finished run at work: classification, other counts, other formats."""
