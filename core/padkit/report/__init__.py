"""Figures and the page that show one run. Imports no torch."""
