"""From a dataset on disk to batches: records, media, prepared tables, protocols, batches."""
