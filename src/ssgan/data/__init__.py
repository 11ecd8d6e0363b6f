"""Images from anywhere, decoded once, served by number."""
