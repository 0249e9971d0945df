"""Run folders: their files and checkpoints, and reading and opening finished runs."""
