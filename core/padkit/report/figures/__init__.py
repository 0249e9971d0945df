"""Figures with one look; imports no torch."""
