"""A look into finished runs: their models, their data and what they do with single faces."""
