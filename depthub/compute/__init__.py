"""How numbers are computed: devices, processes that share a run, switches of torch and numpy, and the one linear map."""
