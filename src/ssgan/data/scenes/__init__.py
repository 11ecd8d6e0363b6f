"""`scenes`: procedural labelled images that need no download."""
