"""Inspection of a source before training: sizes, copies, labels and crops."""
