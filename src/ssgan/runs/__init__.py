"""What a run is: its settings, its state, its checkpoints, and samples from it."""
