"""Using a trained model: the bundle that a run writes."""
