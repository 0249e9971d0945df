"""Protocols: names, conventions, official divisions and held-out parts."""
