"""The two heads, by hand."""

import pytest
import torch

from ssgan.models.heads import Heads


def features(batch=3, width=6):
    return torch.randn(batch, width, generator=torch.Generator().manual_seed(0))


def test_without_labels_both_heads_are_linear():
    heads = Heads(6, 4, 0, spectral=False)
    torch.nn.init.normal_(heads.real.bias)
    torch.nn.init.normal_(heads.auxiliary.bias)
    h = features()
    scores = heads(h, None)
    torch.testing.assert_close(scores.real, h @ heads.real.weight[0] + heads.real.bias)
    expected = h @ heads.auxiliary.weight.T + heads.auxiliary.bias
    torch.testing.assert_close(scores.auxiliary, expected)
    assert scores.features is h
    assert scores.real.shape == (3,)


@pytest.mark.parametrize("spectral", [False, True])
def test_the_projection_adds_the_inner_product_with_the_labels_row(spectral):
    heads = Heads(6, 4, 10, spectral=spectral)
    h, labels = features(), torch.tensor([9, 0, 3])
    scores = heads(h, labels)
    rows = heads.projection.effective_weight()[labels]
    for i in range(3):
        expected = heads.real(h)[i, 0] + torch.dot(rows[i], h[i])
        torch.testing.assert_close(scores.real[i], expected)
    assert torch.equal(scores.auxiliary, heads(h, labels - 0).auxiliary)


def test_labels_change_the_real_logit_and_not_the_auxiliary_ones():
    heads = Heads(6, 4, 10, spectral=True)
    h, labels = features(), torch.tensor([9, 0, 3])
    one, other = heads(h, labels), heads(h, labels.flip(0))
    assert (one.real != other.real).tolist() == [True, False, True]
    assert torch.equal(one.auxiliary, other.auxiliary)


def test_a_projection_head_wants_labels():
    with pytest.raises(ValueError, match="without labels"):
        Heads(6, 4, 10, spectral=False)(features(), None)


def test_without_classes_labels_are_not_read():
    heads = Heads(6, 4, 0, spectral=False)
    labels = torch.tensor([1, 2, 0])
    assert torch.equal(heads(features(), labels).real, heads(features(), None).real)


def test_width_zero_is_no_head_and_no_columns():
    heads = Heads(6, 0, 0, spectral=True)
    assert heads.auxiliary is None
    assert heads(features(), None).auxiliary.shape == (3, 0)


@pytest.mark.parametrize("spectral", [False, True])
def test_all_heads_are_spectrally_normed_iff_the_discriminator_is(spectral):
    heads = Heads(6, 4, 10, spectral=spectral)
    for head in (heads.real, heads.auxiliary, heads.projection):
        assert (head.spectral_u is not None) == spectral


def test_a_normed_auxiliary_head_has_norm_one():
    heads = Heads(6, 4, 0, spectral=True)
    largest = torch.linalg.svdvals(heads.auxiliary.effective_weight())[0].item()
    assert largest == pytest.approx(1, rel=0.02)
