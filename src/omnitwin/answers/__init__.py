"""Answer for image files: same or different, ranked by similarity, and which network answers."""
