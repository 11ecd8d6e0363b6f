"""What a set of images is worth: features, distances between sets, and the protocol of a number.

A metric takes features (one row an image) and knows neither networks nor data sets of a run.
Every number is bound to its protocol (`statistics.Protocol`): which features, how many images of
which split, which resampler. Two numbers compare only where the protocols are the same.
"""
