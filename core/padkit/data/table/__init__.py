"""Prepared tables: frames with their columns, counts, equal images."""
