"""Figures of merit from plain numbers: ROC, intervals, resampling, calibration. Imports no other room."""
