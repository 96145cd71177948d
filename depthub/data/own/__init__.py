"""A user's own pictures: folders and lists of files."""
