"""Frozen dataclasses: laid over, written down, read back, described."""
