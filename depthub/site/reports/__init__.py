"""One page about any set of finished runs, complete in one file."""
