"""Evaluation of a run or of a set of images: metrics with their protocol, and probes of D.

`run.evaluate_images` does what `ssgan evaluate` does; `evaluate.evaluate` compares two image sets
(`image_sets`) by their features (`features`), and continues after an interruption. A training run
uses the same core by `selection_metric`. The mathematics is in `ssgan.metrics`.

`probe/` fits linear classifiers to the features of D, block by block.
"""
