"""Twin networks: encoders, the pair score, checkpoints. Never imports the data."""
