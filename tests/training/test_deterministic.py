"""Every method trains and is evaluated where torch allows no operation whose result may vary."""

import pytest
import torch

from ssgan.training.run import run
from tests.training.tiny import METHODS, SUCCESSORS, evaluating, images, rows_of, tiny
from tests.training.tiny import with_output as writing


@pytest.fixture
def _deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="module")
def dataset():
    return images()


@pytest.mark.usefixtures("_deterministic")
def test_the_mode_does_refuse_what_may_vary():
    """So the test below can fail."""
    with pytest.raises(RuntimeError, match="does not have a deterministic implementation"):
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2))


@pytest.mark.usefixtures("_deterministic")
@pytest.mark.parametrize("name", METHODS | SUCCESSORS)
def test_every_method_needs_nothing_that_may_vary(name, dataset, tmp_path):
    config = evaluating(writing(tiny(name, total_steps=2), sample_every=1), every=1)
    assert [report.step for report in run(config, tmp_path / "run", dataset)] == [1, 2]
    metrics = {row["name"] for row in rows_of(tmp_path / "run" / "metrics.jsonl")}
    assert {
        "FD-random",
        "diversity",
        "logit",
        "knn_accuracy",
        "cka_first",
        "D/spectral_norm",
    } <= metrics
