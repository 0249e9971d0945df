"""Scores per presentation, error rates, threshold policies and the results file. Imports no torch."""
