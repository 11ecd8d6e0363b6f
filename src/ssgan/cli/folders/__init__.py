"""The verbs on a folder of images, or any other source: `data`, `orient` and `similar`."""
