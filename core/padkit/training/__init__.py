"""What recipes are built from: the objective, distillation, checkpoints, the run folder."""
