"""Versions of a council: what was promoted, by whom, and how it is gone back to."""
