"""Plain values: checks, canonical JSON, flat mappings, and text that is safe to show."""
