"""Ablations: cells times targets times seeds, each an ordinary run, and the tables and tests that compare them."""
