"""A run: its settings, state, checkpoints, and samples from it."""
