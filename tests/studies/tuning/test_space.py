"""What `ssgan tune` may change: the settings that values stand for, and files that are refused."""

from dataclasses import replace

import pytest

from ssgan.losses import NonSaturating
from ssgan.recipes import cifar10, objects, scenes
from ssgan.recipes.find import list_recipes
from ssgan.runs.config import AdamConfig
from ssgan.studies.tuning.space import Choices, Range, merge_changes, read_space
from ssgan.types import UserError

BASE = replace(
    scenes.ssgan(),
    total_steps=1000,
    discriminator_optimizer=AdamConfig(learning_rate=1e-3, beta1=0.5, beta2=0.999),
)  # D's learning rate is twice that of G


def space(tmp_path, text, base=BASE, fixed=()):
    file = tmp_path / "space.toml"
    file.write_text(text)
    return read_space(file, base, fixed)


def changed(tmp_path, text, values, steps=200):
    found = space(tmp_path, text)
    return merge_changes(BASE, found.changes(values, steps))


def test_the_same_names_in_quotes_dotted_or_in_a_table_are_one_setting(tmp_path):
    for text in (
        '"method.alpha" = [0.1]', "method.alpha = [0.1]", "[method]\nalpha = [0.1]",
    ):  # fmt: skip
        assert space(tmp_path, text).dimensions == {"method.alpha": Choices((0.1,))}


def test_a_range_is_whole_where_both_ends_are(tmp_path):
    found = space(tmp_path, "batch_size = {low = 8, high = 64, step = 8}").dimensions["batch_size"]
    assert found == Range(8, 64, 8)
    assert found.whole
    assert [found.holds(number) for number in (8, 16, 20, 64, 72)] == [
        True,
        True,
        False,
        True,
        False,
    ]
    assert not Range(0.5, 2).whole


def test_a_width_multiplies_that_of_both_networks_and_a_ratio_that_of_d(tmp_path):
    text = "width = [0.5, 1.0]\nwidth_ratio = [1.0, 2.0]"
    found = changed(tmp_path, text, {"width": 0.5, "width_ratio": 2.0})
    assert found.generator.width == BASE.generator.width * 0.5
    assert found.discriminator.width == BASE.discriminator.width


def test_a_learning_rate_keeps_the_ratio_of_the_networks_unless_it_is_searched(tmp_path):
    text = "learning_rate = {low = 1e-4, high = 1e-3, log = true}"
    found = changed(tmp_path, text, {"learning_rate": 2e-4})
    assert found.generator_optimizer.learning_rate == 2e-4
    assert found.discriminator_optimizer.learning_rate == 4e-4
    text += "\nlearning_rate_ratio = [0.5, 3]"
    found = changed(tmp_path, text, {"learning_rate": 2e-4, "learning_rate_ratio": 0.5})
    assert found.discriminator_optimizer.learning_rate == 1e-4
    found = changed(tmp_path, text, {"learning_rate_ratio": 0.5})
    assert found.discriminator_optimizer.learning_rate == BASE.generator_optimizer.learning_rate / 2


def test_betas_are_those_of_both_networks_and_a_share_counts_in_steps(tmp_path):
    text = "betas = [[0.0, 0.99]]\nema_share = [0.1]"
    found = changed(tmp_path, text, {"betas": [0.0, 0.99], "ema_share": 0.1}, steps=200)
    for adam in (found.generator_optimizer, found.discriminator_optimizer):
        assert (adam.beta1, adam.beta2) == (0.0, 0.99)
    assert found.ema_halflife_steps == 20


def test_a_table_sets_several_settings_together(tmp_path):
    text = """[[loss]]
    "method.adversarial" = "Hinge"
    [[loss]]
    "method.adversarial" = "NonSaturating"
    "method.penalty" = {kind = "WGANGP", weight = 3.0}
    """
    found = space(tmp_path, text)
    (_, second) = found.dimensions["loss"].values
    config = merge_changes(BASE, found.changes({"loss": second}, 200))
    assert config.method.adversarial == NonSaturating()
    assert config.method.penalty.weight == 3.0
    assert found.values_of_recipe() == {"loss": {"method.adversarial": "Hinge"}}


def test_the_recipe_is_inside_the_space_only_with_every_value(tmp_path):
    inside = "batch_size = [16, 32]\nlearning_rate = {low = 1e-4, high = 1e-3}\nwidth = [0.5, 1.0]"
    assert space(tmp_path, inside).values_of_recipe() == {
        "batch_size": 32, "learning_rate": 5e-4, "width": 1.0,
    }  # fmt: skip
    assert space(tmp_path, inside + "\naugment = [true]").values_of_recipe() is None
    assert (
        space(tmp_path, inside + "\nema_share = {low = 0.2, high = 1.0}").values_of_recipe() is None
    )


@pytest.mark.parametrize("name", [n for n in list_recipes() if not n.startswith("robustness")])
def test_the_default_space_fits_every_recipe(name):
    from ssgan.recipes.find import build_recipe

    base = build_recipe(name)
    found = read_space(None, base)
    values = {
        name: one.values[-1] if isinstance(one, Choices) else one.high
        for name, one in found.dimensions.items()
        if name != "generator.norm"  # a conditional method needs its own
    }
    merge_changes(base, found.changes(values, 100))


def test_the_default_space_of_the_laptop_recipe_holds_the_recipe():
    assert read_space(None, cifar10.ssgan_laptop()).values_of_recipe() is not None
    assert "method.alpha" not in read_space(None, cifar10.gan_laptop()).dimensions


def test_a_setting_that_is_fixed_leaves_the_space(tmp_path):
    text = "learning_rate_ratio = [1.0]\nwidth = [1.0]\nbatch_size = [8]"
    fixed = {"batch_size", "discriminator_optimizer.learning_rate"}
    assert list(space(tmp_path, text, fixed=fixed).dimensions) == ["width"]


def test_a_choice_that_the_recipe_refuses_is_named(tmp_path):
    (sentence,) = space(tmp_path, "batch_size = [8, -1]").refusals()
    assert sentence.startswith("batch_size = -1 is refused by itself: batch_size")
    with pytest.raises(UserError, match="the space: batch_size: batch_size must be"):
        space(tmp_path, "batch_size = [0, -1]").refusals()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("batch_size = [8", "is not valid TOML: .*line 1"),
        ("batch_sise = [8]", "batch_sise: the recipe has no setting.*did you mean batch_size"),
        ("batch_size = []", "batch_size: a list of choices needs at least one"),
        ("batch_size = 8", "batch_size: must be a list of choices"),
        ("batch_size = {low = 8}", "batch_size: low, high and step must be numbers"),
        ("batch_size = {low = 8, high = 8}", "batch_size: high 8 must be above low 8"),
        ("batch_size = {low = 8, high = 9, stp = 1}", "batch_size: no 'stp' in a range"),
        ("width = {low = 0, high = 1, log = true}", "width: a log range needs low above 0"),
        ("width = {low = 1, high = 2, log = 1}", "width: log must be true or false"),
        ("batch_size = {low = 1, high = 9, step = 0.5}", "batch_size: step must be"),
        ("total_steps = [5]", "total_steps follows from --minutes"),
        ('width = [1.0]\n"generator.width" = [1.0]', "generator.width: width sets generator.width"),
        ("", "leaves nothing to search"),
        ('loss = [{"method.advesarial" = "Hinge"}]', "did you mean method.adversarial"),
    ],
)  # fmt: skip
def test_a_bad_file_is_one_line_with_its_place(tmp_path, text, words):
    with pytest.raises(UserError, match=words) as error:
        space(tmp_path, text)
    assert str(tmp_path / "space.toml") in str(error.value)
    assert "\n" not in str(error.value)


def test_the_default_space_adds_no_rotation_loss_to_a_gan():
    losses = [
        read_space(None, recipe()).dimensions["loss"].values
        for recipe in (objects.ssgan, objects.gan)
    ]
    assert [any("method" in one for one in values) for values in losses] == [True, False]
