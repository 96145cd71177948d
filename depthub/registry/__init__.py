"""Plugins: entry points, isolation, checks at loading, and classes by name with their settings and published values."""
