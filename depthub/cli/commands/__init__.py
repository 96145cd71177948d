"""One module a command of `depthub`."""
