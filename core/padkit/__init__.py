"""padkit: a plugin-based framework for face presentation attack detection (PAD)."""
