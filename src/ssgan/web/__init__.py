"""A local page over run directories: a dashboard, samples, latents, rotations and features."""
