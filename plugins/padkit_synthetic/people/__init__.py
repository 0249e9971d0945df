"""Simulated people: their identities, and how their portraits are drawn."""
