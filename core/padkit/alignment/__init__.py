"""Parts of aligners: domain adversaries, perturbing a share of a batch, and several aligners joined into one."""
