"""Models that leave the tool: loaded in Python, and written for other programs."""
