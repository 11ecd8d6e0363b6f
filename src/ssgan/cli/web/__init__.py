"""The verb that serves the page of runs: `ssgan web`."""
