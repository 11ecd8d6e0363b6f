from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
import torch

from ssgan.evaluation.features import FeatureExtraction, extract_features
from ssgan.evaluation.image_sets import RealImages
from ssgan.metrics.features import RandomFeatures
from ssgan.metrics.moments import Moments
from ssgan.types import UserError
from tests.evaluation.saved import real_images

SIDE = RealImages(real_images(30))


class Counting(RandomFeatures):
    """Random features that count the images they read, and may stop at one."""

    def __init__(self, stop_at=None, name=None):
        super().__init__()
        self.seen, self.stop_at = 0, stop_at

    def __call__(self, images):
        if self.stop_at is not None and self.seen + len(images) > self.stop_at:
            raise KeyboardInterrupt
        self.seen += len(images)
        return super().__call__(images)


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr("ssgan.evaluation.features.CHUNK_ROWS", 8)


def extracted(cache, features=None, count=30, progress=lambda done, total: None, **options):
    extraction = FeatureExtraction(
        features=features or Counting(),
        cache=cache,
        batch=5,
        progress_bar=lambda what, unit: nullcontext(progress),
    )
    return extraction.compute(SIDE, count, **options)


def test_rows_and_moments_are_those_of_all_images_at_once(tmp_path):
    found = extracted(tmp_path)
    at_once = RandomFeatures()(SIDE.images(0, torch.arange(30)))
    torch.testing.assert_close(found.rows, at_once, rtol=1e-5, atol=1e-6)
    moments = Moments.of(found.rows)
    torch.testing.assert_close(found.moments.mean, moments.mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.moments.covariance, moments.covariance, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("store_moments", [False, True])
def test_what_is_found_equals_what_was_made_bit_for_bit(tmp_path, store_moments):
    first, again = Counting(), Counting()
    made = extracted(tmp_path, first, store_moments=store_moments)
    found = extracted(tmp_path, again, store_moments=store_moments)
    assert (first.seen, again.seen) == (30, 0)
    assert torch.equal(made.rows, found.rows)
    for a, b in ((made, found), (made, extracted(tmp_path / "other", store_moments=store_moments))):
        assert torch.equal(a.moments.mean, b.moments.mean)
        assert torch.equal(a.moments.scatter, b.moments.scatter)


def test_stored_moments_need_no_rows(tmp_path):
    whole = extracted(tmp_path, store_moments=True)
    for path in tmp_path.rglob("*.f32"):
        path.unlink()
    again = Counting()
    found = extracted(tmp_path, again, keep_rows=False, store_moments=True)
    assert again.seen == 0
    assert torch.equal(found.moments.scatter, whole.moments.scatter)


def test_more_images_use_the_whole_pieces_that_are_there(tmp_path):
    extracted(tmp_path, count=16)
    more = Counting()
    extracted(tmp_path, more, count=30)
    assert more.seen == 14


def test_an_interrupted_extraction_continues(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        extracted(tmp_path, Counting(stop_at=20))
    again = Counting()
    found = extracted(tmp_path, again)
    assert again.seen == 30 - 16  # two pieces of 8 were whole
    assert torch.equal(found.rows, extracted(tmp_path / "other").rows)


DAMAGE = {
    "cut": lambda data: data[:-1],
    "empty": lambda data: b"",
    "flipped": lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
    "longer": lambda data: data + b"\0",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_piece_is_made_again(tmp_path, damage):
    whole = extracted(tmp_path, store_moments=True)
    for path in tmp_path.rglob("*.npz"):
        path.write_bytes(DAMAGE[damage](path.read_bytes()))
    torn = sorted(tmp_path.rglob("*.f32"))[1]
    torn.write_bytes(DAMAGE[damage](torn.read_bytes()))
    again = Counting()
    found = extracted(tmp_path, again, store_moments=True)
    assert again.seen == 8
    assert torch.equal(found.rows, whole.rows)
    assert torch.equal(found.moments.scatter, whole.moments.scatter)


def test_pieces_of_other_places_do_not_pass_for_these(tmp_path):
    extracted(tmp_path)
    one, two = sorted(tmp_path.rglob("*.f32"))[:2]
    two.write_bytes(one.read_bytes())
    again = Counting()
    extracted(tmp_path, again)
    assert again.seen == 8


def test_two_at_once_store_one_whole_set_of_rows(tmp_path):
    """The second waits for the first, and reads what that has stored."""
    both = [Counting(), Counting()]
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda features: extracted(tmp_path, features), both))
    assert sorted(features.seen for features in both) == [0, 30]
    assert torch.equal(found[0].rows, found[1].rows)


@pytest.mark.parametrize("what", ["content", "features", "device"])
def test_other_images_features_or_devices_have_other_rows(tmp_path, what, monkeypatch):
    extracted(tmp_path)
    features, side, device = Counting(), SIDE, "cpu"
    if what == "content":
        side = RealImages(real_images(30, seed=2))
    elif what == "features":
        monkeypatch.setattr(features, "identity", "cd" * 32)
    else:
        device = "other"
    FeatureExtraction(features=features, cache=tmp_path, device=device).compute(side, 30)
    assert features.seen == 30


def test_features_that_are_not_finite_are_refused_and_not_stored(tmp_path):
    class Broken(RandomFeatures):
        def __call__(self, images):
            rows = super().__call__(images)
            rows[3] = float("nan")
            return rows

    with pytest.raises(UserError, match=r"1 of 8 pictures 1 images are NaN or infinite.*row 3"):
        FeatureExtraction(features=Broken(), cache=tmp_path).compute(SIDE, 30)
    assert not list(tmp_path.rglob("*.f32"))


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file.* cannot be written"):
        extracted(tmp_path / "file" / "cache")


def test_progress_counts_what_is_made_here(tmp_path):
    reports = []
    extracted(tmp_path, count=8)
    extracted(tmp_path, count=16, progress=lambda done, total: reports.append((done, total)))
    assert reports == [(8, 16), (13, 16), (16, 16)]
    extracted(tmp_path, count=16, progress=lambda done, total: reports.clear())
    assert reports == [(8, 16), (13, 16), (16, 16)]


def test_the_first_rows_are_kept_across_batches_and_all_are_in_the_moments():
    features = RandomFeatures()
    images = SIDE.images(0, torch.arange(30))
    batches = torch.split(images, 8), lambda pixels: pixels
    (found,) = extract_features([features], *batches, keep=12)
    torch.testing.assert_close(found.rows, features(images)[:12], rtol=1e-5, atol=1e-6)
    assert found.moments.count == 30
    (without,) = extract_features([features], *batches)
    assert without.rows is None
    assert torch.equal(without.moments.scatter, found.moments.scatter)


@pytest.mark.parametrize("pattern", ["rows-00000008*", "moments-*"])
def test_a_linked_file_of_the_cache_is_computed_again(tmp_path, pattern):
    first = extracted(tmp_path / "cache", store_moments=True)
    (path,) = (tmp_path / "cache" / "features").glob(f"*/{pattern}")
    outside = tmp_path / "outside"
    path.rename(outside)
    before = outside.read_bytes()
    path.symlink_to(outside)
    features = Counting()
    again = extracted(tmp_path / "cache", features, store_moments=True)
    assert features.seen == (8 if pattern.startswith("rows") else 0)
    assert torch.equal(again.rows, first.rows)
    assert not path.is_symlink()
    assert outside.read_bytes() == before


@pytest.mark.parametrize("which", ["features", "entry", ".locks"])
def test_a_linked_folder_of_the_cache_is_refused(tmp_path, which):
    extracted(tmp_path / "cache")
    path = tmp_path / "cache" / which
    if which == "entry":
        (path,) = (tmp_path / "cache" / "features").iterdir()
    path.rename(tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match=r"is a link to .*, and nothing is written through"):
        extracted(tmp_path / "cache")
