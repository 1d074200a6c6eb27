"""One picture, without torch: read, clean, frame, resample and vary it, and tell whether it looks like a drawing."""
