"""The machine: paths, files, locks, downloads, devices, random numbers, memory. Knows nothing of twins."""
