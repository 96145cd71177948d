"""A finished run at work: pictures to classes, other counts, other formats."""
