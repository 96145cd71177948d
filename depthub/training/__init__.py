"""One training loop and one evaluation loop, for one run or for several that train as one."""
