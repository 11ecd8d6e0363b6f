"""torch-mimicry's networks are imported number by number.

The reference is written here with PyTorch's own layers, from the description of the architecture.
"""

import math
import os
import zipfile

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, spectral_norm

from ssgan.methods.gan import GAN, ConditionalGAN
from ssgan.methods.ssgan import SSGAN
from ssgan.models.sngan import SNGAN
from ssgan.runs.import_mimicry import import_mimicry
from ssgan.runs.model_file import load_model, save_model
from ssgan.runs.sampling import load_discriminator, load_generator
from ssgan.types import UserError

CPU = torch.device("cpu")
LATENTS, DIVISOR = 6, 16  # of every width


class Normalized(nn.Module):
    """A layer divided by its largest singular value, after one power iteration in every forward."""

    def __init__(self, layer, rows):
        super().__init__()
        self.weight = layer.weight
        if getattr(layer, "bias", None) is not None:
            self.bias = layer.bias
        self.register_buffer("sn_u", torch.randn(1, rows))
        self.register_buffer("sn_sigma", torch.ones(1))
        self.kind = type(layer)
        self.padding = getattr(layer, "padding", 0)

    def forward(self, inputs):
        matrix = self.weight.flatten(1)
        v = F.normalize(matrix.T @ self.sn_u[0], dim=0)
        u = F.normalize(matrix @ v, dim=0)
        weight = self.weight / (u @ matrix @ v)
        if self.kind is nn.Embedding:
            return weight[inputs]
        if self.kind is nn.Linear:
            return F.linear(inputs, weight, self.bias)
        return F.conv2d(inputs, weight, self.bias, padding=self.padding)


LAYOUTS = {
    "own": lambda layer: Normalized(layer, len(layer.weight)),
    "torch": spectral_norm,
    "parametrized": parametrizations.spectral_norm,
    "none": lambda layer: layer,
}


class Conditional(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.bn = nn.BatchNorm2d(channels, affine=False)
        self.embed = nn.Embedding(classes, 2 * channels)

    def forward(self, maps, labels):
        gain, shift = self.embed(labels)[:, :, None, None].chunk(2, dim=1)
        return self.bn(maps) * gain + shift


class GBlock(nn.Module):
    def __init__(self, before, after, classes):
        super().__init__()
        self.c1 = nn.Conv2d(before, after, 3, padding=1)
        self.c2 = nn.Conv2d(after, after, 3, padding=1)
        self.c_sc = nn.Conv2d(before, after, 1)
        norms = [Conditional(n, classes) if classes else nn.BatchNorm2d(n) for n in (before, after)]
        self.b1, self.b2 = norms

    def forward(self, maps, *labels):
        def up(maps):
            return F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)

        hidden = self.c1(up(F.relu(self.b1(maps, *labels))))
        return self.c2(F.relu(self.b2(hidden, *labels))) + self.c_sc(up(maps))


class NetG(nn.Module):
    def __init__(self, size, classes=0):
        super().__init__()
        start, channels, _, _ = SNGAN[size].generator
        channels = [count // DIVISOR for count in channels]
        self.start, self.depth = start, len(channels) - 1
        self.l1 = nn.Linear(LATENTS, channels[0] * start**2)
        for number in range(self.depth):
            block = GBlock(channels[number], channels[number + 1], classes)
            setattr(self, f"block{number + 2}", block)
        setattr(self, f"b{self.depth + 2}", nn.BatchNorm2d(channels[-1]))
        setattr(self, f"c{self.depth + 2}", nn.Conv2d(channels[-1], 3, 3, padding=1))

    def forward(self, latents, *labels):
        maps = self.l1(latents).view(len(latents), -1, self.start, self.start)
        for number in range(self.depth):
            maps = getattr(self, f"block{number + 2}")(maps, *labels)
        maps = F.relu(getattr(self, f"b{self.depth + 2}")(maps))
        return torch.tanh(getattr(self, f"c{self.depth + 2}")(maps))


class DBlock(nn.Module):
    def __init__(self, before, after, halves, first, layout):
        super().__init__()
        inner = after if first else before
        self.halves, self.first = halves, first
        self.c1 = layout(nn.Conv2d(before, inner, 3, padding=1))
        self.c2 = layout(nn.Conv2d(inner, after, 3, padding=1))
        if halves or before != after:
            self.c_sc = layout(nn.Conv2d(before, after, 1))

    def forward(self, maps):
        maps = maps if self.first else F.relu(maps)  # in place there, so the shortcut sees it
        short = self.c_sc(maps) if hasattr(self, "c_sc") else maps
        total = self.c2(F.relu(self.c1(maps))) + short
        return F.avg_pool2d(total, 2) if self.halves else total


class NetD(nn.Module):
    def __init__(self, size, layout, rotations=True, classes=0):
        super().__init__()
        counts, halving, _ = SNGAN[size].discriminator
        channels = [3, *(count // DIVISOR for count in counts)]
        self.depth = len(counts)
        for n in range(self.depth):
            block = DBlock(channels[n], channels[n + 1], n < halving, n == 0, layout)
            setattr(self, f"block{n + 1}", block)
        setattr(self, f"l{self.depth + 1}", layout(nn.Linear(channels[-1], 1)))
        if classes:
            self.l_y = layout(nn.Embedding(classes, channels[-1]))
        elif rotations:
            self.l_y = layout(nn.Linear(channels[-1], 4))

    def forward(self, images, *labels):
        for n in range(self.depth):
            images = getattr(self, f"block{n + 1}")(images)
        features = F.relu(images).sum((2, 3))
        real = getattr(self, f"l{self.depth + 1}")(features)[:, 0]
        if labels:
            return real + (self.l_y(*labels) * features).sum(1), None
        return real, self.l_y(features) if hasattr(self, "l_y") else None


def enliven(network):
    """Numbers that no initialization has, running statistics included; then evaluation mode."""
    torch.manual_seed(1)
    for name, tensor in network.state_dict().items():
        if name.endswith(("bias", "running_mean", "embed.weight")):
            tensor.add_(torch.randn_like(tensor) / 4)
        elif name.endswith("running_var"):
            tensor.mul_(0.5 + torch.rand_like(tensor))
        elif tensor.ndim > 1 and not name.endswith("u"):
            tensor.normal_(0, 1 / math.sqrt(tensor[0].numel()))
    return network.eval()


def write(network, path, whole=True, **saving):
    """As torch-mimicry saves it, or the bare state dict."""
    table = network.state_dict()
    content = {"model_state_dict": table, "optimizer_state_dict": None, "global_step": 1234}
    torch.save(content if whole else table, path, **saving)
    return path


def assert_same(netg, netd, folder, classes=0):
    model = import_mimicry(write(netg, folder / "netG.pth"), write(netd, folder / "netD.pth"))
    z = torch.randn(4, LATENTS, generator=torch.Generator().manual_seed(2))
    labels = torch.arange(4) % classes if classes else None
    given = () if labels is None else (labels,)
    with torch.no_grad():
        images = netg(z, *given)
        real, rotations = netd(images, *given)
        found = load_generator(model, CPU)(z, labels)
        scores = load_discriminator(model, CPU)(images, labels)
    assert images.std() > 0.05
    assert real.std() > 1e-3
    torch.testing.assert_close(found, images, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(scores.real, real, rtol=1e-4, atol=1e-5)
    if rotations is not None:
        torch.testing.assert_close(scores.auxiliary, rotations, rtol=1e-4, atol=1e-5)
    return model


@pytest.mark.parametrize("layout", LAYOUTS)
def test_images_and_logits_are_those_of_the_published_architecture(layout, tmp_path):
    netg, netd = enliven(NetG(32)), enliven(NetD(32, LAYOUTS[layout]))
    model = assert_same(netg, netd, tmp_path)
    assert model.step == 1234
    assert model.config.method == SSGAN()
    assert model.config.discriminator.spectral == (layout != "none")


@pytest.mark.parametrize("size", [48, 64, 128])
def test_every_size_is_known_by_its_shapes(size, tmp_path):
    netg, netd = enliven(NetG(size)), enliven(NetD(size, LAYOUTS["own"], rotations=False))
    model = assert_same(netg, netd, tmp_path)
    assert model.config.data.image_size == size
    assert model.config.method == GAN()


def test_classes_have_their_gains_and_their_projection(tmp_path):
    netg, netd = enliven(NetG(32, 3)), enliven(NetD(32, LAYOUTS["own"], classes=3))
    model = assert_same(netg, netd, tmp_path, 3)
    assert model.classes == ("0", "1", "2")
    assert model.config.method == ConditionalGAN()


def test_g_alone_and_the_bare_state_dict_are_enough(tmp_path):
    netg = enliven(NetG(32))
    model = import_mimicry(write(netg, tmp_path / "g.pth", whole=False))
    assert list(model.tensors) == ["generator_ema"]
    assert model.step == 0
    old = write(netg, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    again = import_mimicry(old)
    save_model(tmp_path / "m.safetensors", again)
    back = load_model(tmp_path / "m.safetensors")
    for found in (again, back):
        for name, tensor in model.tensors["generator_ema"].items():
            assert torch.equal(found.tensors["generator_ema"][name], tensor)


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/ssgan-was-here",)


def refused(said, generator, *discriminator):
    with pytest.raises(UserError, match=said) as caught:
        import_mimicry(generator, *discriminator)
    assert "\n" not in str(caught.value)


def test_code_in_a_file_is_named_and_not_run(tmp_path):
    path = tmp_path / "netG.pth"
    torch.save({"model_state_dict": {"l1.weight": Evil()}}, path)
    refused(r"names code \((posix|nt).system\), which is not run", path)
    assert not os.path.exists("/tmp/ssgan-was-here")


@pytest.mark.parametrize("keep", [0, 10, 1000, -1000, -10])
def test_a_file_that_was_cut_is_refused_in_one_line(keep, tmp_path):
    path = write(NetG(32), tmp_path / "netG.pth")
    path.write_bytes(path.read_bytes()[:keep])
    refused("is damaged or no .pth file|is damaged: its list", path)


def test_a_file_that_unpacks_to_more_is_refused(tmp_path):
    path, packed = write(NetG(32), tmp_path / "a.pth"), tmp_path / "b.pth"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            new.writestr(member.filename, bytes(member.file_size))
    refused("b.pth is compressed or damaged: its tensors are larger than the file", packed)


def test_other_content_is_refused_in_one_line(tmp_path):
    netg, netd = NetG(32), NetD(32, LAYOUTS["own"])
    good = write(netg, tmp_path / "good.pth")
    other = tmp_path / "other.pth"
    for content, said in (
        ([1, 2], "holds no state dict"),
        ({}, "holds no state dict"),
        ({"epoch": 3}, "holds no state dict: epoch is no plain tensor"),
        (
            nn.Linear(2, 2).state_dict(),
            "no network of this kind: l1.weight must have 2 axes, and it has none",
        ),
        (
            {**netg.state_dict(), "l1.weight": torch.zeros(4)},
            "l1.weight must have 2 axes, and it has 1",
        ),
        ({**netg.state_dict(), "more": torch.zeros(4)}, "holds more, which the generator of"),
        ({**netg.state_dict(), "c5.bias": torch.full((3,), math.nan)}, "c5.bias holds NaN"),
        ({**netg.state_dict(), "c5.bias": torch.zeros(5)}, "last.bias of shape 3, and it holds 5"),
        ({k: v for k, v in netg.state_dict().items() if k != "b5.weight"}, "lacks b5.weight"),
    ):
        torch.save(content, other)
        refused(said, other)
    write(netd, other)
    refused("holds a discriminator: give netG's file first", other)
    refused("good.pth holds no discriminator", good, good)
    refused("is not there", tmp_path / "none.pth")
    refused("is a folder", tmp_path)
    write(NetD(64, LAYOUTS["own"]), other)
    refused("does not fit discriminator: its settings ask for", good, other)
