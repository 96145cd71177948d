"""Identity by content: digests of files and of code, and everything besides its spec that the numbers of a run depend on."""
