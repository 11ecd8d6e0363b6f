import numpy as np
import pytest
import torch

from ssgan.metrics.inception_score import inception_score
from ssgan.types import UserError


def test_images_that_all_say_the_same_score_1():
    rows = torch.tensor([0.5, 0.3, 0.2]).log().expand(40, 3)
    assert inception_score(rows).value == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("splits", [1, 10])
def test_certain_and_balanced_images_score_the_number_of_classes(splits):
    """One-hot rows: log 0 is -inf and must not become NaN."""
    rows = torch.eye(8).repeat(10, 1).log()
    found = inception_score(rows, splits=splits)
    assert found.value == pytest.approx(8, abs=1e-6)
    assert found.std_within == pytest.approx(0, abs=1e-6)


def test_the_score_is_numpys_over_floor_splits():
    """The split rule of the published code, and its standard deviation (over n)."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(103, 5, generator=generator, dtype=torch.float64)
    p = logits.softmax(1).numpy()
    scores = []
    for i in range(10):
        part = p[i * 103 // 10 : (i + 1) * 103 // 10]
        kl = (part * (np.log(part) - np.log(part.mean(0)))).sum(1)
        scores.append(np.exp(kl.mean()))
    found = inception_score(logits.log_softmax(1))
    assert found.value == pytest.approx(np.mean(scores), rel=1e-10)
    assert found.std_within == pytest.approx(np.std(scores), rel=1e-8)
    assert inception_score(logits.log_softmax(1), splits=1).value > found.value


def test_rows_that_are_no_probabilities_are_refused():
    with pytest.raises(UserError, match="log_softmax"):
        inception_score(torch.zeros(20, 4))
    with pytest.raises(UserError, match="NaN"):
        inception_score(torch.full((20, 4), float("nan")))
    with pytest.raises(UserError, match="10 splits needs as many images, not 9"):
        inception_score(torch.full((9, 4), 0.25).log())
