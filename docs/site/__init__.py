"""The documentation site: the pages of `docs/`, filled in with what the code says of itself, as HTML that asks no other host."""
