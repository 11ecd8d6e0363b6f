"""HTML pages that open offline: one style, pictures and charts within the page."""
