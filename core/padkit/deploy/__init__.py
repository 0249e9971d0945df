"""Using a trained model: the bundle a run leaves."""
