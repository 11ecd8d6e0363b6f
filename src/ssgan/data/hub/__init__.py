"""Data sets of the Hugging Face hub: their columns, and reading them as a stream."""
