"""The verbs that make images: `ssgan sample` and `ssgan project`."""
