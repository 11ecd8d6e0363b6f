"""A search for settings at a fixed training time."""
