"""Galleries: many images, each embedded once, to search in, to find duplicates and groups, and to draw as a map."""
