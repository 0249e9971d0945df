"""Ablations: one ordinary run for each cell, target and seed, and the tables and tests that compare the runs."""
