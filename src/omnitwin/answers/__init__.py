"""Answer for image files: same or different, or ranked by similarity; choose the network that answers."""
