"""Figures of merit, from plain numbers: ROC, intervals, resampling, calibration. Imports nothing of ours."""
