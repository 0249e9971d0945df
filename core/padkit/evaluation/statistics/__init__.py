"""Intervals and tests: bootstrap, DeLong, paired differences over runs."""
