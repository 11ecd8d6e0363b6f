"""Settings as frozen dataclasses: declared, stored, merged and described."""
