"""Run folders: every file of one, its checkpoints, finished runs read and opened again."""
