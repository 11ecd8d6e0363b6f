"""State, step, loop, checkpoints: the only floor that changes weights."""
