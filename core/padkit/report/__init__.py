"""Figures, tables and the page of finished runs. Imports no torch."""
