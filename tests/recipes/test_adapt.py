"""Settings that follow from the user's method and image size."""

from dataclasses import replace

import pytest
import torch

from ssgan.cli import train
from ssgan.cli.config_args import read_config, take_source
from ssgan.cli.main import main
from ssgan.cli.options import Train
from ssgan.cli.parser import parse
from ssgan.config.merge import merge
from ssgan.data.base import DatasetInfo, HeaderStats
from ssgan.methods.gan import ConditionalGAN
from ssgan.models.biggan import BigGANGenerator
from ssgan.models.norms import ConditionalBatchNorm
from ssgan.recipes.adapt import adapt_recipe
from ssgan.recipes.auto import GIVEN_SIZES, explain_choices, fit_recipe
from ssgan.recipes.find import build_recipe
from ssgan.runs.shapes import shapes
from ssgan.runs.state import build_discriminator, build_generator
from ssgan.training.validation import check_labels
from ssgan.types import UserError
from tests.cli.test_main import TINY
from tests.data.pictures import noise, write_images
from tests.recipes.test_find import Pretend

INFO = DatasetInfo(HeaderStats(300, 300, False), ("cat", "dog"))


@pytest.fixture(scope="module")
def fitted():
    return fit_recipe(Pretend(300, 300, False), INFO)[0]


def adapt(config, *tables, info=INFO):
    """The settings after `adapt_recipe` and the user's tables, and the sentences."""
    changes = [(table, "--") for table in tables]
    start, reasons = adapt_recipe(config, changes, info)
    config = start
    for table in tables:
        config = merge(config, table, "--")
    return config, start, reasons


@pytest.mark.parametrize("method", ["ConditionalGAN", "S3GAN"])
@pytest.mark.parametrize("generator", [{}, {"width": 0.1}, "BigGANGenerator"])
def test_a_method_that_reads_labels_gets_a_norm_that_does(fitted, method, generator):
    config, _, reasons = adapt(fitted, {"method": method, "generator": generator})
    assert config.generator.norm == ConditionalBatchNorm(gamma_offset=True)
    assert len(reasons) == 1
    assert f"{method} needs a norm that reads the labels; 2 classes (cat, dog)" in reasons[0]
    check_labels(config, 2)


def test_it_does_so_for_a_recipe_and_with_a_setting_of_the_norm():
    table = {"method": "ConditionalGAN", "generator": {"norm": {"gamma_offset": False}}}
    config, _, reasons = adapt(build_recipe("scenes:ssgan"), table, info=None)
    assert config.generator.norm == ConditionalBatchNorm(gamma_offset=False)
    assert len(reasons) == 1


def test_nothing_follows_where_the_user_named_the_norm_or_the_method_reads_no_labels(fitted):
    named = {"method": "ConditionalGAN", "generator": {"norm": "ConditionalBatchNorm"}}
    config, start, reasons = adapt(fitted, named)
    assert (start, reasons) == (fitted, [])
    assert config.generator.norm == ConditionalBatchNorm()  # as commands of before meant it
    assert adapt(fitted, {"method": "GAN"})[1:] == (fitted, [])
    conditional = build_recipe("scenes:conditional")
    assert adapt(conditional, {"seed": 1}, info=None)[1:] == (conditional, [])


def test_a_norm_of_the_user_that_reads_no_labels_is_refused_in_one_line(fitted):
    named = {"method": "ConditionalGAN", "generator": {"norm": "BatchNorm"}}
    with pytest.raises(UserError, match=r"is BatchNorm, which reads none: leave --generator\.norm"):
        check_labels(adapt(fitted, named)[0], 2)


@pytest.mark.parametrize("size", GIVEN_SIZES)
def test_networks_for_every_size_given_are_chosen_and_can_be_built(fitted, size):
    config, start, _ = adapt(fitted, {"data": {"image_size": size}})
    for build in (build_generator, build_discriminator):
        assert shapes(build, config, 0) is not None
    accelerated = torch.accelerator.is_available()
    batches = (64, 64, 32) if accelerated else (32, 64, 16)
    assert config.batch_size == batches[(size > 64) + (size > 128)]
    reasons = explain_choices(config, start, INFO.header_stats)
    chosen = 128 if accelerated else 64
    assert reasons[1].startswith(f"image size {size}{' (as given)' if size != chosen else ':'}")
    assert f": for {size} pixels on " in reasons[3]


def test_networks_for_a_given_size_are_those_of_images_of_that_size(fitted):
    for size in (32, 256):
        other, _ = fit_recipe(Pretend(300, 300, False), size=size)
        config, _, _ = adapt(fitted, {"data": {"image_size": size}})
        assert replace(config, data=other.data) == replace(other, data=other.data)
        assert config.data == replace(fitted.data, image_size=size)
        assert config.generator != fitted.generator


def test_other_sizes_are_refused_with_those_that_work(fitted):
    with pytest.raises(UserError, match="no networks have this size; there are 32, 48, 64, 96, 12"):
        adapt(fitted, {"data": {"image_size": 200}})


def test_networks_that_the_user_named_stay_as_they_are(fitted):
    table = {
        "data": {"image_size": 256},
        "generator": {"kind": "BigGANGenerator", "latent_size": 140},
        "discriminator": "BigGANDiscriminator",
    }
    config, start, _ = adapt(fitted, table)
    assert start == fitted
    assert config == merge(fitted, table, "--")
    given = fitted.generator  # what it shares with the user's
    assert config.generator == BigGANGenerator(
        latent_size=140, width=given.width, upsampling=given.upsampling
    )


def test_images_may_stand_where_a_recipe_does(tmp_path):
    for number, name in enumerate(("cats", "dogs")):
        write_images(tmp_path / name, range(4 * number, 4 * number + 4))
    words = [f"folder:{tmp_path}", "--method", "ConditionalGAN"]
    given = take_source(parse("train", Train, words))
    found = read_config(given)
    assert found.config.method == ConditionalGAN()
    assert found.config.data.source.path == str(tmp_path)
    assert "2 classes (cats, dogs)" in found.reasons[-1]
    with pytest.raises(UserError, match="both name images: leave one out"):
        take_source(parse("train", Train, [*words, "--data", "objects"]))


def test_a_run_on_large_images_says_time_and_memory_before_it_starts(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, "_LARGE", 16)
    for number in range(8):
        (tmp_path / "photos").mkdir(exist_ok=True)
        noise(number, 32, 32).save(tmp_path / "photos" / f"{number}.png")
    words = ["train", f"folder:{tmp_path / 'photos'}", "--run", str(tmp_path / "run"), *TINY]
    assert main([*words, "--evaluate.every", "0"]) == 0
    out = capsys.readouterr().out
    assert out.index("2 steps take about ") < out.index("run directory: ")
    words[words.index("--total_steps") + 1] = "3"
    assert main([*words, "--evaluate.every", "0"]) == 0  # it continues
    assert "steps take about" not in capsys.readouterr().out
