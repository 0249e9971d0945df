"""Inspects finished runs: figures of their scores, their models and their aligners."""
