"""`scenes`: rendered labelled images that need no download."""
