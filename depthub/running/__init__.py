"""From a spec to a result."""
