"""Names by content: digests of files and of code, and all that the numbers of a run depend on beside its spec."""
