"""Image sources, their preprocessing, and the prepared data sets."""
