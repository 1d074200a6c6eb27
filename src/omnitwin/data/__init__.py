"""Images on disk become rows of a packed tensor; rows become pairs. Never imports the model."""
