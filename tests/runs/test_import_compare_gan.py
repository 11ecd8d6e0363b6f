"""Variables of compare_gan are imported number by number.

The reference computes on [rows, columns, channels], from the definitions: a convolution is a sum
over the places of its kernel, a transposed one the gradient of a convolution.
"""

import math
import zipfile
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ssgan.methods.gan import ConditionalGAN
from ssgan.methods.ssgan import SSGAN
from ssgan.models.biggan import BigGANGenerator
from ssgan.models.dcgan import DCGANGenerator
from ssgan.models.norms import BatchNorm, ConditionalBatchNorm, SelfModulatedBatchNorm
from ssgan.models.resnet import ResNet5Generator, ResNetGenerator, ResNetSTLGenerator
from ssgan.models.sndcgan import SNDCGANGenerator
from ssgan.runs.import_compare_gan import import_compare_gan
from ssgan.runs.sampling import load_discriminator, load_generator
from ssgan.types import UserError

CPU = torch.device("cpu")
CLASSES = 3


@dataclass
class Variables:
    """Makes every variable when it is first used, as TensorFlow does."""

    values: dict = field(default_factory=dict)
    norm: str = "plain"  # or self, class
    accumulators: bool = False
    right: bool = False  # whether the other singular vector is stored
    random: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(3))

    def get(self, name, *shape, low=None):
        if name not in self.values:
            value = torch.randn(shape, generator=self.random, dtype=torch.float64)
            if name.endswith("kernel"):
                value /= math.sqrt(math.prod(shape[:-1]))
            elif low is not None:
                value = low + value.abs() / 2
            elif not name.endswith("u_var"):
                value /= 4
            self.values[name] = value.float().double()
        return self.values[name]

    def kernel(self, name, *shape, sn):
        kernel = self.get(f"{name}/kernel", *shape)
        if not sn:
            return kernel
        matrix = kernel.reshape(-1, shape[-1])
        if self.right:
            u = self.get(f"{name}/kernel/u_var", 1, shape[-1])
            v = F.normalize(u @ matrix.T)
            return kernel / (v @ matrix @ F.normalize(v @ matrix).T)
        u = self.get(f"{name}/kernel/u_var", len(matrix), 1)
        v = F.normalize(matrix.T @ u, dim=0)
        return kernel / (F.normalize(matrix @ v, dim=0).T @ matrix @ v)

    def dense(self, rows, name, outputs, sn, bias=True):
        out = rows @ self.kernel(name, rows.shape[1], outputs, sn=sn)
        return out + self.get(f"{name}/bias", outputs) if bias else out

    def conv(self, maps, name, outputs, size, sn, stride=1, bias=True):
        out = slide(maps, self.kernel(name, size, size, maps.shape[3], outputs, sn=sn), stride)
        return out + self.get(f"{name}/bias", outputs) if bias else out

    def deconv(self, maps, name, outputs, size, stride):
        kernel = self.get(f"{name}/kernel", size, size, outputs, maps.shape[3])
        count, height, width, _ = maps.shape
        large = torch.zeros(count, height * stride, width * stride, outputs, dtype=maps.dtype)
        large.requires_grad_()
        (out,) = torch.autograd.grad(slide(large, kernel, stride), large, maps)
        return out + self.get(f"{name}/bias", outputs)

    def batch_norm(self, maps, name, z, y, sn, kind=None):
        channels = maps.shape[-1]
        if self.accumulators:
            number = self.get(f"{name}/accu/accu_counter", low=50.0)
            mean = self.get(f"{name}/accu/accu_mean", channels) / number
            variance = self.get(f"{name}/accu/accu_variance", channels, low=40.0) / number
            self.values[f"{name}/accu/update_accus"] = torch.zeros((), dtype=torch.int32)
        else:
            mean = self.get(f"{name}/moving_mean", channels)
            variance = self.get(f"{name}/moving_variance", channels, low=0.5)
        out = (maps - mean) / (variance + 1e-5).sqrt()
        kind = kind or self.norm
        if kind == "self":
            h = F.relu(self.dense(z, f"{name}/sbn/hidden", 5, sn))
            gain, shift = (
                self.dense(h, f"{name}/sbn/{n}", channels, sn) for n in ("gamma", "beta")
            )
        elif kind == "class":
            gain, shift = (
                self.dense(y, f"{name}/condition/{n}", channels, sn, bias=False)
                for n in ("gamma", "beta")
            )
        else:
            gain, shift = self.get(f"{name}/gamma", channels), self.get(f"{name}/beta", channels)
        if kind != "plain" and maps.ndim == 4:
            gain, shift = gain[:, None, None], shift[:, None, None]
        return out * gain + shift

    def attention(self, maps, name, sn):
        def flat(maps):
            return maps.flatten(1, 2)

        def pool(maps):
            return F.max_pool2d(maps.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)

        channels = maps.shape[3]
        conv = partial(self.conv, size=1, sn=sn, bias=False)
        theta = flat(conv(maps, f"{name}/conv2d_theta", channels // 8))
        phi = flat(pool(conv(maps, f"{name}/conv2d_phi", channels // 8)))
        g = flat(pool(conv(maps, f"{name}/conv2d_g", channels // 2)))
        mixed = (theta @ phi.transpose(1, 2)).softmax(2) @ g
        mixed = mixed.reshape(*maps.shape[:3], channels // 2)
        return maps + self.get(f"{name}/sigma") * conv(mixed, f"{name}/conv2d_attn_g", channels)


def slide(maps, kernel, stride):
    """A convolution with padding SAME: the larger half of it comes after."""
    size, height = len(kernel), maps.shape[1]
    outputs = -(-height // stride)
    padding = max((outputs - 1) * stride + size - height, 0)
    before, after = padding // 2, padding - padding // 2
    maps = F.pad(maps, (0, 0, before, after, before, after))
    total = 0
    for row in range(size):
        for column in range(size):
            last = stride * (outputs - 1) + 1
            part = maps[:, row : row + last : stride, column : column + last : stride]
            total = total + part @ kernel[row, column]
    return total


def unpool(maps):
    out = maps.new_zeros(len(maps), 2 * maps.shape[1], 2 * maps.shape[2], maps.shape[3])
    out[:, ::2, ::2] = maps
    return out


def halve(maps):
    return F.avg_pool2d(maps.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


def residual(v, maps, name, outputs, scale, sn, norm=None, big=False, shortcut=True):
    """A block of G when it has a norm, else of D."""

    def scaled(maps, suffix, change, size=3):
        maps = unpool(maps) if change == "up" else maps
        kind = "same" if change == "none" else change
        maps = v.conv(maps, f"{name}/{kind}_{suffix}", outputs, size, sn)
        return halve(maps) if change == "down" else maps

    norm = norm or (lambda maps, name: maps)
    up, down = ("none", scale) if scale == "down" else (scale, "none")
    hidden = scaled(F.relu(norm(maps, f"{name}/bn1")), "conv1", up)
    hidden = scaled(F.relu(norm(hidden, f"{name}/bn2")), "conv2", down)
    return hidden + scaled(maps, "conv_shortcut", scale, 1 if big else 3) if shortcut else hidden


def residual_g(v, z, y, start, channels, ups, sn=False, ends_sn=False):
    def norm(maps, name):
        return v.batch_norm(maps, name, z, y, sn)

    maps = v.dense(z, "generator/fc_noise", start * start * channels[0], ends_sn)
    maps = maps.reshape(len(z), start, start, channels[0])
    for number, outputs in enumerate(channels[1:]):
        scale = "up" if number < ups else "none"
        maps = residual(v, maps, f"generator/B{number + 1}", outputs, scale, sn, norm)
    maps = F.relu(norm(maps, "generator/final_norm"))
    return torch.sigmoid(v.conv(maps, "generator/final_conv", 3, 3, ends_sn))


def residual_d(v, images, y, channels, downs, first, project=False):
    maps = images
    for number, outputs in enumerate(channels):
        scale = "down" if number < downs else "none"
        maps = residual(v, maps, f"discriminator/B{first + number}", outputs, scale, True)
    features = F.relu(maps).mean((1, 2))
    return heads(v, features, "disc_final_fc", y if project else None)


def heads(v, features, name, y=None):
    real = v.dense(features, f"discriminator/{name}", 1, True)[:, 0]
    if y is None:
        return real, v.dense(features, "discriminator_rotation/score_classify", 4, True)
    embedded = v.dense(y, "discriminator/embedding_fc", features.shape[1], True, bias=False)
    return real + (embedded * features).sum(1), None


def biggan_g(v, z, y, channels):
    z0, *chunks = z.chunk(len(channels), dim=1)
    if y is not None:
        y = v.dense(y, "generator/embed_y", 7, False, bias=False)
    maps = v.dense(z0, "generator/fc_noise", 16 * channels[0], True).reshape(-1, 4, 4, channels[0])
    for number, (outputs, chunk) in enumerate(zip(channels[1:], chunks, strict=True), start=1):
        code = chunk if y is None else torch.cat([chunk, y], 1)

        def norm(maps, name, code=code):
            return v.batch_norm(maps, name, code, code, True)

        maps = residual(v, maps, f"generator/B{number}", outputs, "up", True, norm, big=True)
        if number == 4:  # 64 x 64
            maps = v.attention(maps, "generator/non_local_block", True)
    maps = F.relu(v.batch_norm(maps, "generator/final_norm", None, None, True, "plain"))
    return (torch.tanh(v.conv(maps, "generator/final_conv", 3, 3, True)) + 1) / 2


def biggan_d(v, images, y, channels):
    maps = images
    for number, outputs in enumerate(channels, start=1):
        scale = "none" if number == len(channels) else "down"
        name, shortcut = f"discriminator/B{number}", maps.shape[3] != outputs
        maps = residual(v, maps, name, outputs, scale, True, big=True, shortcut=shortcut)
        if number == 1:
            maps = v.attention(maps, "discriminator/non_local_block", True)
    return heads(v, F.relu(maps).sum((1, 2)), "final_fc", y)


def sndcgan_g(v, z, y):
    rows = v.dense(z, "generator/g_fc1", 4 * 4 * 16, False)
    rows = F.relu(v.batch_norm(rows, "generator/g_bn1", z, y, False, "plain"))
    maps = rows.reshape(-1, 4, 4, 16)
    for number, channels in enumerate((8, 4, 2), start=2):
        maps = v.deconv(maps, f"generator/g_dc{number}", channels, 4, 2)
        maps = F.relu(v.batch_norm(maps, f"generator/g_bn{number}", z, y, False))
    return (torch.tanh(v.deconv(maps, "generator/g_dc5", 3, 3, 1)) + 1) / 2


def sndcgan_d(v, images, y):
    maps = 2 * images - 1
    for number, channels in enumerate((2, 4, 4, 8, 8, 16, 16), start=1):
        size, stride = (3, 1) if number % 2 else (4, 2)
        name = f"discriminator/d_conv{number}"
        maps = F.leaky_relu(v.conv(maps, name, channels, size, True, stride), 0.1)
    return heads(v, maps.flatten(1), "d_fc1")


def dcgan_g(v, z, y):
    maps = v.dense(z, "generator/g_fc1", 2 * 2 * 16, False).reshape(-1, 2, 2, 16)
    for number, channels in enumerate((8, 4, 2, 3), start=1):
        maps = F.relu(v.batch_norm(maps, f"generator/g_bn{number}", z, y, False))
        maps = v.deconv(maps, f"generator/g_dc{number}", channels, 5, 2)
    return torch.tanh(maps) / 2 + 0.5


def dcgan_d(v, images, y):
    maps = images
    for number, channels in enumerate((2, 4, 8, 16), start=1):
        maps = v.conv(maps, f"discriminator/d_conv{number}", channels, 5, True, 2)
        maps = F.leaky_relu(maps, 0.2)
    return heads(v, maps.flatten(1), "d_fc4")


CIFAR = (
    partial(residual_g, start=4, channels=(8,) * 4, ups=3),
    partial(residual_d, channels=(4,) * 4, downs=2, first=1),
)
RESNET5 = (
    partial(residual_g, start=4, channels=(16, 16, 8, 8, 4, 2), ups=4),
    partial(residual_d, channels=(2, 4, 8, 8, 16, 16), downs=6, first=0),
)
CASES = {
    "cifar": (*CIFAR, ResNetGenerator, 32, {}),
    "cifar, self-modulated": (*CIFAR, ResNetGenerator, 32, {"norm": "self"}),
    "cifar, accumulators": (*CIFAR, ResNetGenerator, 32, {"accumulators": True}),
    "cifar, other vectors": (*CIFAR, ResNetGenerator, 32, {"right": True}),
    "cifar, spectral norm in G": (
        partial(CIFAR[0], sn=True, ends_sn=True), CIFAR[1], ResNetGenerator, 32, {"norm": "self"},
    ),
    "cifar, classes": (
        CIFAR[0], partial(CIFAR[1], project=True), ResNetGenerator, 32, {"norm": "class"},
    ),
    "cifar, classes, other vectors": (
        partial(CIFAR[0], sn=True, ends_sn=True),
        partial(CIFAR[1], project=True),
        ResNetGenerator,
        32,
        {"norm": "class", "right": True},
    ),
    "resnet5": (*RESNET5, ResNet5Generator, 64, {}),
    "resnet5, spectral norm in G": (
        partial(RESNET5[0], sn=True), RESNET5[1], ResNet5Generator, 64, {"norm": "self"},
    ),
    "stl": (
        partial(residual_g, start=6, channels=(16, 8, 4, 2), ups=3),
        partial(residual_d, channels=(2, 4, 8, 16, 32), downs=4, first=0),
        ResNetSTLGenerator, 48, {},
    ),
    "biggan": (
        partial(biggan_g, channels=tuple(6 * m for m in (16, 16, 8, 4, 2, 1))),
        partial(biggan_d, channels=tuple(8 * m for m in (1, 2, 4, 8, 16, 16))),
        BigGANGenerator, 128, {"norm": "self"},
    ),
    "biggan, classes": (
        partial(biggan_g, channels=tuple(6 * m for m in (16, 16, 8, 4, 2, 1))),
        partial(biggan_d, channels=tuple(8 * m for m in (1, 2, 4, 8, 16, 16))),
        BigGANGenerator, 128, {"norm": "class"},
    ),
    "sndcgan": (sndcgan_g, sndcgan_d, SNDCGANGenerator, 32, {}),
    "dcgan": (dcgan_g, dcgan_d, DCGANGenerator, 32, {}),
}  # fmt: skip
NORMS = {
    "plain": BatchNorm(),
    "self": SelfModulatedBatchNorm(hidden=5),
    "class": ConditionalBatchNorm(),
}


def reference(name):
    """The variables of a case, its latents and labels, its images and logits."""
    generate, discriminate, _, _, options = CASES[name]
    v = Variables(**options)
    z = torch.randn(3, 12, generator=v.random, dtype=torch.float64)
    labels = torch.arange(3) if v.norm == "class" else None
    y = None if labels is None else torch.eye(CLASSES, dtype=torch.float64)[labels]
    images = generate(v, z, y)
    return v, z, labels, images, discriminate(v, images, y)


def write(path, values, **more):
    arrays = {name: value.detach().numpy() for name, value in values.items()}
    arrays = {n: a.astype("float32") if a.dtype == np.float64 else a for n, a in arrays.items()}
    np.savez(path, **arrays, **more)
    return path


@pytest.mark.parametrize("name", CASES)
def test_images_and_logits_are_those_of_the_definitions(name, tmp_path):
    v, z, labels, images, (real, rotations) = reference(name)
    model = import_compare_gan(write(tmp_path / "v.npz", v.values, global_step=np.int64(77)))
    _, _, family, size, _ = CASES[name]
    assert type(model.config.generator) is family
    assert model.config.generator.norm == NORMS[v.norm]
    assert model.config.data.image_size == size
    assert model.step == 77
    assert isinstance(model.config.method, SSGAN if labels is None else ConditionalGAN)
    with torch.no_grad():
        found = load_generator(model, CPU).double()(z, labels).permute(0, 2, 3, 1)
        shown = (2 * images - 1).permute(0, 3, 1, 2)
        scores = load_discriminator(model, CPU).double()(shown, labels)
    assert images.std() > 0.01
    torch.testing.assert_close(found, 2 * images - 1, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(scores.real, real, rtol=1e-5, atol=1e-6)
    if rotations is not None:
        torch.testing.assert_close(scores.auxiliary, rotations, rtol=1e-5, atol=1e-6)


def test_averages_are_the_averaged_generator_and_the_rest_is_the_raw_one(tmp_path):
    v, *_ = reference("cifar")
    average = "generator/final_conv/bias/ExponentialMovingAverage"
    v.values[average] = torch.tensor([1.0, 2.0, 3.0])
    v.values["generator/final_conv/bias/Adam_1"] = torch.ones(3)
    v.values["beta1_power"] = torch.ones(())
    prefixed = {f"module/{name}:0": value for name, value in v.values.items()}
    model = import_compare_gan(write(tmp_path / "v.npz", prefixed))
    tensors = model.tensors
    assert tensors["generator_ema"]["last.bias"].tolist() == [1, 2, 3]
    torch.testing.assert_close(
        tensors["generator"]["last.bias"], v.values["generator/final_conv/bias"].float()
    )
    same = "blocks.0.conv1.weight"
    assert torch.equal(tensors["generator_ema"][same], tensors["generator"][same])


def test_other_files_are_refused_in_one_line(tmp_path):
    v, *_ = reference("cifar")
    path, good = tmp_path / "v.npz", v.values

    def without(name):
        return {key: value for key, value in good.items() if key != name}

    for values, said in (
        ({"a": torch.ones(2)}, "holds no generator of compare_gan"),
        (without("generator/final_norm/gamma"), "lacks generator/final_norm/gamma"),
        (
            without("generator/B2/same_conv2/bias"),
            "does not fit generator_ema: .*blocks.1.conv2.bias",
        ),
        ({**good, "generator/more": torch.ones(2)}, "holds generator/more, which a generator"),
        ({**good, "discriminator/d_bn": torch.ones(2)}, "holds discriminator/d_bn, which a discr"),
        ({**good, "generator/B1/bn1/gamma": torch.full((8,), math.nan)}, "gamma holds NaN"),
        (
            {**good, "generator/fc_noise/kernel": torch.ones(2)},
            "kernel must have 2 axes, and it has 1",
        ),
        (
            {**good, "discriminator/B1/same_conv1/kernel/u_var": torch.ones(5, 1)},
            "u_var has the sh",
        ),
        (
            {**good, "generator/B1/bn1/gamma": torch.ones(8, dtype=torch.int32)},
            "int32 numbers, not",
        ),
    ):
        write(path, values)
        with pytest.raises(UserError, match=said) as caught:
            import_compare_gan(path)
        assert "\n" not in str(caught.value)
    np.savez(path, **{"generator/fc_noise/kernel": np.array([print], object)})
    with pytest.raises(UserError, match="holds Python objects, which are pickles"):
        import_compare_gan(path)
    path.write_bytes(write(tmp_path / "w.npz", good).read_bytes()[:-400])
    with pytest.raises(UserError, match=r"v.npz is damaged or no .npz file"):
        import_compare_gan(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("generator/fc_noise/kernel.npy", b"no array")
    with pytest.raises(UserError, match="is no array of numpy"):
        import_compare_gan(path)
