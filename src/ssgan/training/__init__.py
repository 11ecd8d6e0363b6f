"""Training: the step, the loop, and a run in its directory. Only this package changes weights."""
