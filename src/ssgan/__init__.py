"""Train, measure and study self-supervised GANs."""
