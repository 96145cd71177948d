"""Options: their parsing, their files, their order, and errors in one line."""
