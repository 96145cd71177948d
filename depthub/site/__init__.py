"""Leaderboards as pages: static files that open from a disk, without a server and without any other host."""
