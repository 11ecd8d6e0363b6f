"""Files on disk: written whole, locked, downloaded, named."""
