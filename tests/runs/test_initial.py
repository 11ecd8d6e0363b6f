"""A run begins with the weights of a model: copied where both have them, new where not."""

import copy
from dataclasses import replace

import pytest
import torch

from ssgan.models.biggan import BigGANDiscriminator, BigGANGenerator
from ssgan.models.norms import ConditionalBatchNorm
from ssgan.ops.spectral_norm import advance_spectral_norm, spectral_layers, spectral_sigma
from ssgan.runs.config import InitialWeights, RunConfig
from ssgan.runs.initial import find_initial_model, load_initial_weights
from ssgan.runs.model_file import StoredModel, digest_model, save_model
from ssgan.runs.state import fresh_state
from ssgan.types import UserError
from tests.training.tiny import tiny

CPU = torch.device("cpu")
CLASSES = ("cat", "dog", "owl")
NETWORKS = ("generator", "generator_ema", "discriminator")


def model_of(config: RunConfig, classes=(), parts=NETWORKS, tmp=None) -> StoredModel:
    """A model with other numbers everywhere than a fresh state has, running statistics included."""
    state = fresh_state(replace(config, seed=1), len(classes), CPU)
    for number, name in enumerate(NETWORKS):
        for tensor in getattr(state, name).state_dict().values():
            tensor.mul_(1.5 + number).add_(0.25)
        advance_spectral_norm(getattr(state, name), iterations=5)
    tensors = {name: getattr(state, name).state_dict() for name in parts}
    return StoredModel(
        path=tmp,
        config=config,
        classes=tuple(classes),
        step=7,
        source="here",
        version="0",
        tensors=tensors,
    )


def begin(config: RunConfig, model: StoredModel, classes=()):
    state = fresh_state(config, len(classes), CPU)
    before = copy.deepcopy(state)
    return state, before, load_initial_weights(state, config, classes, model)


@pytest.mark.parametrize("name", ["gan", "ssgan", "conditional", "s3gan"])
def test_every_tensor_is_the_models_where_nothing_differs(name):
    config = tiny(name)
    classes = CLASSES if config.method.conditional else ()
    model = model_of(config, classes)
    state, _, words = begin(replace(config, seed=3, batch_size=4), model, classes)
    assert words == []
    for part in NETWORKS:
        stored, own = model.tensors[part], getattr(state, part).state_dict()
        assert own.keys() == stored.keys()
        assert all(torch.equal(own[key], stored[key]) for key in own)
    assert state.step == 0
    assert not state.discriminator_optimizer.state_dict()["state"]


@pytest.mark.parametrize("family", ["resnet", "biggan"])
def test_classes_keep_their_rows_by_name_and_new_ones_begin_as_the_seed_says(family):
    config = tiny("s3gan")
    if family == "biggan":
        norm = ConditionalBatchNorm()
        generator = BigGANGenerator(latent_size=8, width=1 / 48, norm=norm, label_features=5)
        networks = {"generator": generator, "discriminator": BigGANDiscriminator(width=1 / 48)}
        config = replace(config, **networks)
    model, here = model_of(config, CLASSES), ("owl", "eel", "cat", "fox")
    state, before, words = begin(config, model, here)
    assert words == [
        "2 of 4 classes are new (eel, fox)",
        "2 of 8 logits of the auxiliary head are new",
        "1 logits of the model's auxiliary head are left out",
    ]
    label = "embedding" if family == "biggan" else "blocks.1.norm2.gain"
    for part, layer, skipped in (
        ("generator", label, 0),
        ("generator_ema", label, 0),
        ("discriminator", "heads.projection", 0),
        ("discriminator", "heads.auxiliary", 4),  # the rotations
    ):
        key = f"{layer}.weight"
        ours, theirs = getattr(state, part).state_dict()[key], model.tensors[part][key]
        fresh = getattr(before, part).state_dict()[key]
        assert torch.equal(ours[:skipped], theirs[:skipped])
        assert torch.equal(ours[skipped + 0], theirs[skipped + 2])
        assert torch.equal(ours[skipped + 2], theirs[skipped + 0])
        for new in (1, 3):
            assert torch.equal(ours[skipped + new], fresh[skipped + new])


def test_classes_that_have_numbers_only_keep_their_rows_by_number():
    config = tiny("conditional")
    model = model_of(config, ("0", "1", "2"))
    state, _, words = begin(config, model, ("bee", "ant"))
    assert words == []
    ours = state.discriminator.heads.projection.weight
    assert torch.equal(ours, model.tensors["discriminator"]["heads.projection.weight"][:2])
    _, _, words = begin(config, model, ("2", "bee"))  # a folder has one of these names
    assert words == ["1 of 2 classes are new (bee)"]


@pytest.mark.parametrize(
    ("theirs", "ours", "words"),
    [
        ("ssgan", "ms", ["1 of 5 logits of the auxiliary head are new"]),
        ("ms", "ssgan", ["1 logits of the model's auxiliary head are left out"]),
        ("ssgan", "gan", ["4 logits of the model's auxiliary head are left out"]),
        ("gan", "ssgan", ["4 of 4 logits of the auxiliary head are new"]),
    ],
)
def test_the_auxiliary_head_of_another_method_keeps_the_rows_that_both_have(theirs, ours, words):
    model = model_of(tiny(theirs))
    state, before, found = begin(tiny(ours), model)
    assert found == words
    stored, head = model.tensors["discriminator"], state.discriminator.heads.auxiliary
    if head is not None:
        fresh = before.discriminator.heads.auxiliary
        kept = min(4, len(stored.get("heads.auxiliary.weight", ())))
        for name in ("weight", "bias"):
            given = stored.get(f"heads.auxiliary.{name}", getattr(fresh, name))
            assert torch.equal(getattr(head, name)[:kept], given[:kept])
            assert torch.equal(getattr(head, name)[kept:], getattr(fresh, name)[kept:])
    assert torch.equal(state.discriminator.heads.real.weight, stored["heads.real.weight"])


def test_a_head_with_new_rows_has_converged_singular_vectors():
    state, _, _ = begin(tiny("ms"), model_of(tiny("ssgan")))
    (head,) = spectral_layers(state.discriminator.heads.auxiliary)
    sigma = spectral_sigma(head.weight, head.spectral_u, head.spectral_v)
    torch.testing.assert_close(sigma, torch.linalg.matrix_norm(head.weight, 2))


def test_what_the_model_lacks_is_said():
    model = model_of(tiny(), parts=("generator_ema",))
    state, before, words = begin(tiny(), model)
    assert words == ["D is new, for the model has none"]
    stored = model.tensors["generator_ema"]
    assert all(torch.equal(v, stored[k]) for k, v in state.generator.state_dict().items())
    fresh = before.discriminator.state_dict()
    assert all(torch.equal(v, fresh[k]) for k, v in state.discriminator.state_dict().items())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data.image_size": 64}, "data.image_size is 64 here and 32 there"),
        ({"data.channels": 1}, "data.channels is 1 here and 3 there"),
        ({"generator.width": 0.5}, "generator.width is 0.5 here and 0.015625 there"),
        ({"discriminator.spectral": False}, "discriminator.spectral is false here and true there"),
        ({"generator.latent_size": 4}, "generator.latent_size is 4 here and 8 there"),
    ],
)
def test_networks_of_another_shape_are_refused_with_both_values(changes, said, tmp_path):
    config = tiny()
    for path, value in changes.items():
        part, name = path.split(".")
        config = replace(config, **{part: replace(getattr(config, part), **{name: value})})
    with pytest.raises(UserError, match="keeps the networks of its initial model: ") as caught:
        begin(config, model_of(tiny(), tmp=tmp_path / "m.safetensors"))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_changes_no_weight_may_differ():
    config = tiny()
    plain = replace(config.generator, fused=False)
    begin(
        replace(config, generator=plain, batch_size=4, augment=True, total_steps=9),
        model_of(config),
    )


def test_tensors_that_do_not_fit_their_own_settings_are_refused(tmp_path):
    model = model_of(tiny(), tmp=tmp_path / "m.safetensors")
    del model.tensors["discriminator"]["blocks.0.conv1.weight"]
    with pytest.raises(UserError, match=r"m.safetensors does not fit .*blocks.0.conv1.weight"):
        begin(tiny(), model)


def test_the_digest_is_of_the_weights_alone(tmp_path):
    """The same weights under another name have it; one number more has another."""
    model = model_of(tiny())
    for name in "ab":
        save_model(tmp_path / f"{name}.safetensors", model)
    found = [
        find_initial_model(InitialWeights(model=str(tmp_path / f"{name}.safetensors"))).init
        for name in "ab"
    ]
    assert found[0].sha256 == found[1].sha256 == digest_model(model)
    model.tensors["generator"]["first.bias"][0] += 1
    assert digest_model(model) != found[0].sha256
    with pytest.raises(UserError, match=r"--init .*a.safetensors has other weights"):
        find_initial_model(replace(found[0], sha256="0" * 64))
