"""What the machine lends: paths, files, locks, fetching, devices, random numbers, memory. Knows nothing of twins."""
