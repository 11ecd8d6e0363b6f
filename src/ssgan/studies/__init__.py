"""Experiments of the paper that are no run of a GAN, or many of them."""
