"""A run on transparent pictures: training, sheets, samples, models and evaluations."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

import ssgan
from ssgan.cli.main import main
from ssgan.evaluation.results import read_results
from ssgan.files.alpha import premultiply
from ssgan.files.run_directory import RunDirectory
from ssgan.metrics.features import RandomFeatures, to_three_channels
from ssgan.report.pictures import draw_networks
from ssgan.runs.sampling import to_pixels
from tests.cli.test_main import TINY


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A run of two steps on twelve sprites, its samples and its evaluation."""
    root = tmp_path_factory.mktemp("sprites")
    (root / "photos").mkdir()
    random = np.random.default_rng(0)
    for number in range(12):
        pixels = random.integers(0, 256, (32, 32, 4), dtype=np.uint8)
        pixels[: 4 + number, :, 3] = 0
        Image.fromarray(pixels).save(root / "photos" / f"{number:02d}.png")
    run, cache = str(root / "run"), ["--cache", str(root / "cache")]
    data = [str(root / "photos"), "--data.channels", "4", "--augment", "true"]
    assert (
        main(["train", "--data", *data, *TINY, "--evaluate.every", "2", "--run", run, *cache]) == 0
    )
    out = ["--out", str(root / "out"), "--npz", str(root / "out.npz"), "--gif"]
    assert main(["sample", run, "--n", "4", *out]) == 0
    against = ["--against", str(root / "photos"), "--n", "12", "--features", "random"]
    results = ["--metrics", "fd", "--out", str(root / "results.jsonl")]
    assert main(["evaluate", run, *against, *results, *cache]) == 0
    return root


def test_files_and_arrays_of_samples_have_straight_colours_and_alpha(places):
    model = ssgan.load(places / "run")
    pixels = model.sample(4)
    assert pixels.shape == (4, 32, 32, 4)
    with np.load(places / "out.npz") as arrays:
        assert (arrays["arr_0"] == pixels).all()
    for number in range(4):
        with Image.open(places / "out" / "images" / f"image-{number:05d}.png") as picture:
            assert picture.mode == "RGBA"
            assert (np.asarray(picture) == pixels[number]).all()


def test_the_discriminator_reads_samples_as_the_generator_made_them(places):
    model = ssgan.load(places / "run")
    images = model.generate(model.latents(4))
    made = torch.from_numpy(to_pixels(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
    visible = (made[:, :3] <= made[:, 3:]).all()
    again = model._images(model.sample(4))
    assert torch.equal(again[:, 3], made[:, 3])
    below = made[:, :3] <= made[:, 3:].expand(-1, 3, -1, -1)
    torch.testing.assert_close(again[:, :3][below], made[:, :3][below])
    assert visible or (~below).any()
    assert model.logits(model.sample(4)).real.shape == (4,)


def test_sheets_show_a_checkerboard(places):
    for path in ("out/sheet.png", "run/samples/step-00000002.png"):
        with Image.open(places / path) as sheet:
            assert sheet.mode == "RGB"


def test_the_report_shows_samples_beside_the_real_images_over_a_checkerboard(places):
    made = draw_networks(RunDirectory(places / "run"), "cpu", places / "cache")
    assert made.notes == []
    assert len(made.nearest) == 8
    for uri in (made.interpolation, made.nearest[0].sample, made.nearest[0].reals):
        with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as picture:
            assert picture.mode == "RGB"
    assert (places / "run/report.html").is_file()


def test_an_evaluation_lays_images_over_white_and_its_protocol_says_so(places):
    (result,) = read_results(places / "results.jsonl")
    assert result.protocol.alpha == "over white"
    assert "alpha" in result.protocol.key()
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 4), dtype=np.uint8)
    flat = [Image.new("RGBA", (32, 32), "white") for _ in pixels]
    for ground, one in zip(flat, pixels, strict=True):
        ground.alpha_composite(Image.fromarray(one))
    wanted = np.stack([np.asarray(one)[..., :3] for one in flat]).transpose(0, 3, 1, 2)
    laid = to_three_channels(torch.from_numpy(premultiply(pixels)).permute(0, 3, 1, 2))
    assert (laid.numpy().astype(int) - wanted).__abs__().max() <= 1
    assert RandomFeatures()(laid).shape == (4, 256)


def test_the_size_without_channels_of_transparency_is_refused_in_one_line(places, capsys):
    data = ["--data", str(places / "photos"), "--data.channels", "2", *TINY]
    assert main(["train", *data, "--run", str(places / "other")]) == 2
    assert "channels must be 1, 3 or 4, not 2" in capsys.readouterr().err
