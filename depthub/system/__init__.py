"""The machine: files, caches, the network, processes and their activity, and the provenance of numbers."""
