"""Measures: questions and their split, metrics, calibration, and the arms a council is compared with."""
