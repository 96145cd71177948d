"""The machine: files, kept data, the network, what a process is doing, and where numbers come from."""
