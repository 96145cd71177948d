"""A small CLIP and rendered data sets."""
