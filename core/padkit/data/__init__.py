"""Data from disk to batches: records, media, prepared tables, protocols, batches."""
