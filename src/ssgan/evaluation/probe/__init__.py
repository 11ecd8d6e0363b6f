"""Linear probing of the discriminator: features by block, classifiers, exports."""
