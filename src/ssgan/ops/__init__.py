"""Tensor functions that know no GAN."""
