"""Metrics of image sets: features, distances between sets, and the protocol of a value.

A metric takes features (one row an image) and knows neither a run's networks nor its data set.
Every value is bound to its protocol (`protocol.Protocol`): the features, how many images of which
split, the resampler. Two values are comparable only under the same protocol.
"""
