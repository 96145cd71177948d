"""Plugins: found, kept from changing the process, checked, and given by name with their settings and published values."""
