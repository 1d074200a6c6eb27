"""Frozen records of plain numbers and words: what the other rooms return and `view` draws. No torch, no numpy."""
