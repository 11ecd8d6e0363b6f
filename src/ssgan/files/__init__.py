"""Files on disk: atomic writes, locks, downloads, and the names in a run directory."""
