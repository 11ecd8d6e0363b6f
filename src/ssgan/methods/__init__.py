"""Methods: the two losses that D and G minimize."""
