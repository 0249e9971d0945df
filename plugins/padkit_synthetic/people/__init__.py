"""Simulated people: who they are and how their portraits are drawn."""
