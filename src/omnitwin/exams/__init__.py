"""Measure a network or a baseline: exams, what they need and how their figures are counted."""
