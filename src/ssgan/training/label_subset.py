"""The training labels that a method is given: all, or those of a share of images chosen once."""

import numpy as np
from numpy.typing import NDArray

from ssgan.data.dataset import Dataset
from ssgan.ops.rng import Key, permutation
from ssgan.runs.config import RunConfig
from ssgan.types import UNLABELLED


def select_labels(config: RunConfig, dataset: Dataset) -> NDArray[np.int64] | None:
    """The class number of every image, or UNLABELLED where it is hidden; None when none is used.

    Given are the first `method.num_labelled` of a permutation of the image numbers, keyed by the
    run's seed: the same images from the first step to the last. The choice knows no label (so it
    is not stratified): a hidden label has no influence at all, not even on which are hidden.
    """
    if not config.method.conditional or dataset.labels is None:
        return None
    count = config.method.num_labelled(len(dataset))
    hidden = permutation(Key(config.seed, "labelled"), len(dataset))[count:]
    labels = dataset.labels.copy()
    labels[hidden.numpy()] = UNLABELLED
    return labels
