"""Principal directions against a G whose Jacobian is known, and places on a map against NumPy."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ssgan.models.resnet import ResNetGenerator
from ssgan.types import UserError
from ssgan.web import feature_map
from ssgan.web.explorer import measure_directions
from ssgan.web.feature_map import project_on_plane


def linear_model(matrix: torch.Tensor):
    """A model whose images are a linear map of its latents."""
    size = int((matrix.shape[0] // 3) ** 0.5)
    spec = ResNetGenerator(latent_size=matrix.shape[1])
    return SimpleNamespace(
        config=SimpleNamespace(generator=spec),
        classes=(),
        generate=lambda latents, labels: (latents @ matrix.T).reshape(-1, 3, size, size),
    )


def test_directions_of_a_linear_generator_are_its_right_singular_vectors():
    matrix = torch.randn(48, 10, generator=torch.Generator().manual_seed(0))
    _, _, right = torch.linalg.svd(matrix.double(), full_matrices=False)
    found = measure_directions(linear_model(matrix)).double()
    assert found.shape == (8, 10)
    assert (found * right[:8]).sum(1).abs() == pytest.approx(np.ones(8), abs=1e-4)
    assert (found.gather(1, found.abs().argmax(1, keepdim=True)) > 0).all()


def test_a_plane_holds_the_first_principal_components():
    features = np.random.default_rng(0).normal(size=(30, 6)) * [5, 3, 1, 1, 1, 1]
    places, explained = project_on_plane(torch.from_numpy(features))
    centred = features - features.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    assert explained == pytest.approx((values[::-1] / values.sum())[:2])
    for axis in range(2):
        expected = centred @ vectors[:, -1 - axis]
        assert abs(np.corrcoef(places[:, axis], expected)[0, 1]) == pytest.approx(1)
        assert float(places[:, axis].abs().max()) == pytest.approx(1)


def test_equal_features_have_a_place_too():
    places, _ = project_on_plane(torch.ones(4, 3))
    assert places.isfinite().all()


class FakeUmap:
    """Takes the first two features; fails for three images, as UMAP does."""

    def __init__(self, **given):
        self.given = given

    def fit_transform(self, features):
        if len(features) < 4:
            raise TypeError("k >= N.\nUse another solver.")
        assert self.given == {
            "n_components": 2, "n_neighbors": min(15, len(features) - 1), "random_state": 0,
            "n_jobs": 1,
        }  # fmt: skip
        return features[:, :2]


def test_a_map_by_umap_is_the_same_each_time_and_a_failure_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=FakeUmap))
    for count in (4, 40):
        places, explained = feature_map._place(torch.rand(count, 6), "umap")
        assert (places.shape, explained) == ((count, 2), [])
        assert places.abs().amax().item() == pytest.approx(1)
    with pytest.raises(UserError, match=r"^UMAP failed, so choose PCA: k >= N\.$"):
        feature_map._place(torch.rand(3, 6), "umap")
