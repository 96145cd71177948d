"""Data sets, few-shot sampling, transforms."""
