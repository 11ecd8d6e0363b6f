"""Train the classifier of `ssgan.metrics.nameable`, and print what it is worth.

    python docs/make_nameable.py            trains, and writes src/ssgan/metrics/nameable.npz
    python docs/make_nameable.py --report   measures the stored weights only

No picture is one of a run: runs read seeds 0 and 1 of `objects`, and this script others.
"""

import sys
import time
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssgan.data.base import Preprocessing
from ssgan.data.prepare import prepare
from ssgan.data.scenes.random import RandomStream
from ssgan.data.scenes.rendering import DRAWS
from ssgan.data.scenes.source import Objects
from ssgan.data.scenes.textures import paint_backdrop
from ssgan.files.download import file_sha256
from ssgan.metrics.nameable import NUM_KINDS, SIDE, STRIDES, WEIGHTS, ObjectClassifier
from ssgan.metrics.nameable import measure_nameable as measure
from ssgan.ops.pixels import from_uint8, to_uint8
from ssgan.recipes import objects
from ssgan.training.loop import train
from ssgan.types import ImageShape

TRAIN_SEED, CALIBRATION_SEED, TEST_SEED = 1001, 1002, 1003  # of `objects`
TRAIN, HELD_OUT = 20_000, 3000  # pictures of the first seed, and of each of the others
WIDTHS = (16, 32, 48, 64, 64, 64)
EPOCHS, BATCH = 9, 128
NONES = 56  # images of no kind beside the BATCH pictures of a step
RATE, DECAY = 4e-3, 1e-2
EARLY_STEPS = (1, 10, 20, 30, 40, 50, 60)  # of GANs that have learned no object yet


def render(seed: int, count: int) -> tuple[Tensor, Tensor]:
    """Pictures of a seed, uint8 [N, 3, S, S], and their kinds."""
    shape = ImageShape(channels=3, size=SIDE)
    dataset = prepare(Objects(num_images=count, seed=seed), Preprocessing(shape=shape))
    pixels = torch.from_numpy(dataset.batch(np.arange(count))).permute(0, 3, 1, 2)
    return pixels.contiguous(), torch.from_numpy(np.array(dataset.labels))


def render_backdrops(seed: int, count: int) -> Tensor:
    """Backdrops without an object, uint8 [N, 3, S, S]."""
    uniform = np.random.default_rng(seed).random((count, DRAWS))
    linear = torch.from_numpy(np.ascontiguousarray(paint_backdrop(RandomStream(uniform), SIDE)))
    return (linear.clamp(0, 1).sqrt() * 255).round().to(torch.uint8).permute(1, 0, 2, 3)


def early_samples(seed: int, each: int) -> Tensor:
    """`each` samples of two G after each of EARLY_STEPS, uint8 [N, 3, S, S]."""
    parts = []
    for number, recipe in enumerate((objects.gan(), objects.ssgan_sbn())):
        data = replace(recipe.data, source=Objects(num_images=HELD_OUT, seed=CALIBRATION_SEED))
        steps = max(EARLY_STEPS)
        config = replace(recipe, data=data, seed=seed + number, batch_size=32, total_steps=steps)
        latents = torch.Generator().manual_seed(seed)
        for report in train(config):
            if report.step in EARLY_STEPS:
                generator = report.state.generator.eval()
                z = torch.randn(each, config.generator.latent_size, generator=latents)
                with torch.no_grad():
                    parts += [to_uint8(generator(rows, None)) for rows in z.split(64)]
                generator.train()
    return torch.cat(parts)


def untrained_samples(seed: int, count: int) -> Tensor:
    """Samples of generators before the first step, one G for every 25, uint8 [N, 3, S, S]."""
    parts, shape = [], ImageShape(channels=3, size=SIDE)
    for number in range(-(-count // 25)):
        torch.manual_seed(1000 * seed + number)
        spec = (objects.gan(), objects.ssgan_sbn())[number % 2].generator
        generator = spec.build(shape, 0)
        with torch.no_grad():
            parts.append(to_uint8(generator(torch.randn(25, spec.latent_size), None)))
    return torch.cat(parts)[:count]


# ---- images of none of the kinds, from pictures x in [-1, 1], [N, 3, S, S] ----


def smooth_field(count: int, channels: int, side: int, gen: torch.Generator) -> Tensor:
    """Normal numbers on a grid of `side`, interpolated, [N, channels, S, S]."""
    grid = torch.randn(count, channels, side, side, generator=gen)
    return F.interpolate(grid, size=(SIDE, SIDE), mode="bicubic", align_corners=False)


def add_noise(x: Tensor, gen: torch.Generator) -> Tensor:
    """Noise alone: uniform, or normal with the mean and deviation of a picture; fine to coarse."""
    sides = (2, 3, 4, 8, 16, SIDE)
    which = int(torch.randint(len(sides) + 1, (1,), generator=gen))
    if which == len(sides):
        return torch.rand(x.shape, generator=gen) * 2 - 1
    mean, std = x.mean(dim=(2, 3), keepdim=True), x.std(dim=(2, 3), keepdim=True)
    return (mean + std * smooth_field(len(x), 3, sides[which], gen)).clamp(-1, 1)


def shuffle_blocks(x: Tensor, block: int, gen: torch.Generator) -> Tensor:
    """The blocks of each picture in random order; with 1, its pixels."""
    blocks = F.unfold(x, block, stride=block)
    order = torch.rand(len(x), 1, blocks.shape[2], generator=gen).argsort(dim=2)
    return F.fold(blocks.gather(2, order.expand_as(blocks)), SIDE, block, stride=block)


def blend(x: Tensor, gen: torch.Generator) -> Tensor:
    """Two pictures mixed, each with 35 to 65 %; half of them blurred."""
    share = 0.35 + 0.3 * torch.rand(len(x), 1, 1, 1, generator=gen)
    mixed = share * x + (1 - share) * x.roll(1, 0)
    blurred = torch.rand(len(x), 1, 1, 1, generator=gen) < 0.5
    return torch.where(blurred, blur(mixed), mixed)


def blur(x: Tensor) -> Tensor:
    """The mean over 5 x 5 pixels."""
    return F.avg_pool2d(F.pad(x, (2, 2, 2, 2), mode="replicate"), 5, stride=1)


def distort(x: Tensor, gen: torch.Generator) -> Tensor:
    """Pictures moved by a smooth random field of 3 to 8 pixels: their parts come apart."""
    axis = (torch.arange(SIDE) + 0.5) * (2 / SIDE) - 1
    place = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)
    far = 0.2 + 0.3 * torch.rand(len(x), 1, 1, 1, generator=gen)
    moved = place + far * smooth_field(len(x), 2, 4, gen).permute(0, 2, 3, 1)
    return F.grid_sample(x, moved, padding_mode="reflection", align_corners=False)


def shrink(x: Tensor) -> Tensor:
    """Pictures of 4 x 4 pixels, enlarged again."""
    small = F.interpolate(x, size=(4, 4), mode="area")
    return F.interpolate(small, size=(SIDE, SIDE), mode="bilinear", align_corners=False)


def make_nones(x: Tensor, pool: Tensor, gen: torch.Generator) -> Tensor:
    """As many images of no kind: a third from the pool, the rest made of the pictures."""
    chosen = pool[torch.randint(len(pool), (len(x) // 3,), generator=gen)]
    x = x[len(chosen) :]
    parts = list(torch.tensor_split(x, 7))
    return torch.cat(
        [
            from_uint8(chosen),
            add_noise(parts[0], gen),
            shuffle_blocks(parts[1], 1, gen),
            shuffle_blocks(parts[2], 8, gen),
            blend(torch.cat(parts[3:5]), gen),
            distort(parts[5], gen),
            shrink(parts[6]),
        ]
    )


def augment(x: Tensor, gen: torch.Generator) -> Tensor:
    """Mirrored, shifted by up to 3 pixels, with other contrast and colours, blur and noise."""

    def draw(*shape: int) -> Tensor:
        return torch.rand(len(x), *shape, 1, 1, generator=gen)

    x = torch.where(draw(1) < 0.5, x.flip(3), x)
    down, across = torch.randint(7, (2,), generator=gen).tolist()
    padded = F.pad(x, (3, 3, 3, 3), mode="replicate")
    x = padded[:, :, down : down + SIDE, across : across + SIDE]
    x = x * (0.75 + 0.5 * draw(1)) + 0.2 * (draw(3) - 0.5)
    soft = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    share = draw(1) * (draw(1) < 0.5)
    x = x + share * (soft - x)
    return x + 0.08 * draw(1) * torch.randn(x.shape, generator=gen)


class Trained(nn.Module):
    """The network with batch norm, which `fold` takes out."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, stride in zip((3, *WIDTHS), WIDTHS, STRIDES, strict=False):
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after)]
            layers.append(nn.ReLU())
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(WIDTHS[-1], NUM_KINDS + 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the eleven classes."""
        return self.head(self.body(x).mean(dim=(2, 3)))

    def fold(self, temperature: float) -> list[Tensor]:
        """The weights that `ObjectClassifier` reads."""
        weights = []
        for number in range(0, len(self.body), 3):
            convolution, norm = self.body[number : number + 2]
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            weights.append(convolution.weight * scale[:, None, None, None])
            weights.append(norm.bias - norm.running_mean * scale)
        weights += [self.head.weight / temperature, self.head.bias / temperature]
        return [weight.detach() for weight in weights]


def fit(pictures: Tensor, labels: Tensor, pool: Tensor) -> Trained:
    """Train on pictures and images of no kind; a linear schedule down to 0."""
    torch.manual_seed(0)
    gen, network = torch.Generator().manual_seed(0), Trained().to(memory_format=torch.channels_last)
    steps = EPOCHS * (len(pictures) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    started, running = time.monotonic(), 0.0
    for step in range(steps):
        if step % (len(pictures) // BATCH) == 0:
            order = torch.randperm(len(pictures), generator=gen)
            print(f"{step} {running:.3f} {time.monotonic() - started:.0f} s", flush=True)
        at = step % (len(pictures) // BATCH) * BATCH
        rows = order[at : at + BATCH]
        some = from_uint8(pictures[rows])
        others = torch.randint(len(pictures), (NONES,), generator=gen)
        nones = make_nones(from_uint8(pictures[others]), pool, gen)
        x = augment(torch.cat([some, nones]), gen)
        wanted = torch.cat([labels[rows], torch.full((len(nones),), NUM_KINDS)])
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(x.contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits.float(), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        running += 0.02 * (loss.item() - running)
    return network.eval()


def find_temperature(network: Trained, images: Tensor, labels: Tensor) -> float:
    """What minimises the cross-entropy on held-out images when it divides the logits."""
    with torch.no_grad():
        logits = torch.cat([network(from_uint8(part)) for part in images.split(256)])
    temperatures = torch.linspace(0.5, 3, 251)
    losses = torch.stack([F.cross_entropy(logits / t, labels) for t in temperatures])
    return float(temperatures[losses.argmin()])


def sets_of_nones(pictures: Tensor, seed: int) -> dict[str, Tensor]:
    """Named sets of images of no kind, uint8; the last two are of sorts not trained on."""
    gen, x = torch.Generator().manual_seed(seed), from_uint8(pictures)
    noise = torch.cat([add_noise(part, gen) for part in x.split(50)])
    made = {
        "noise, fine to coarse": noise,
        "shuffled pixels": shuffle_blocks(x, 1, gen),
        "shuffled blocks of 8 pixels": shuffle_blocks(x, 8, gen),
        "blends of two objects": blend(x, gen),
        "distorted objects": distort(x, gen),
        "objects of 4 x 4 pixels": shrink(x),
    }
    every = {name: to_uint8(images) for name, images in made.items()}
    every["backdrops alone"] = render_backdrops(seed, len(x))
    every["an untrained G"] = untrained_samples(seed, len(x) // 3)
    every["one colour (not trained on)"] = to_uint8(x.mean(dim=(2, 3), keepdim=True).expand_as(x))
    every["shuffled blocks of 4 pixels (not trained on)"] = to_uint8(shuffle_blocks(x, 4, gen))
    return every


def calibration_error(confidence: Tensor, correct: Tensor, bins: int = 15) -> float:
    """Mean distance of confidence and accuracy over equal bins, weighted by their sizes."""
    which = (confidence * bins).long().clamp(max=bins - 1)
    gaps = torch.zeros(bins, dtype=torch.float64)
    gaps.index_add_(0, which, (confidence - correct.double()).double())
    return float(gaps.abs().sum() / len(confidence))


def report(classifier: ObjectClassifier) -> None:
    """Print the table of docs/evaluation.md, on pictures of TEST_SEED."""
    pictures, labels = render(TEST_SEED, HELD_OUT)
    rows = classifier(pictures)
    kind = rows[:, :NUM_KINDS].argmax(dim=1)
    correct, found = kind == labels, measure(rows)
    confidence = rows[:, :NUM_KINDS].exp().amax(dim=1)
    error = calibration_error(confidence, correct)
    print(f"parameters: {sum(weight.numel() for weight in classifier._weights):,}")
    print(f"held-out accuracy {correct.double().mean():.2%}, calibration error {error:.4f}")
    sure = confidence > 0.9
    print(f"nameable: {found.share:.2%} of real images, {correct[sure].double().mean():.2%} right")
    print(f"kinds: {found.kinds:.2f} of {NUM_KINDS}")
    for name, images in sets_of_nones(pictures, TEST_SEED).items():
        print(f"nameable: {measure(classifier(images)).share:.2%} of {name}", flush=True)


def make() -> None:
    """Train, calibrate and store."""
    pictures, labels = render(TRAIN_SEED, TRAIN)
    early = early_samples(7, each=250)
    pool = torch.cat([render_backdrops(1, 4000), early, untrained_samples(1, 1000)])
    network = fit(pictures, labels, pool)
    real, kinds = render(CALIBRATION_SEED, HELD_OUT)
    nones = [images[:150] for images in sets_of_nones(real, CALIBRATION_SEED).values()]
    images = torch.cat([real, *nones])
    wanted = torch.cat([kinds, torch.full((len(images) - len(real),), NUM_KINDS)])
    temperature = find_temperature(network, images, wanted)
    print(f"temperature {temperature:.2f}")
    np.savez(WEIGHTS, *[w.numpy().astype(np.float16) for w in network.fold(temperature)])
    print(f"{WEIGHTS.stat().st_size:,} bytes, sha256 {file_sha256(WEIGHTS)}")


def load_stored() -> ObjectClassifier:
    """The weights as stored, whatever their sha256."""
    with np.load(WEIGHTS, allow_pickle=False) as file:
        return ObjectClassifier([torch.from_numpy(file[f"arr_{n}"]) for n in range(14)])


if __name__ == "__main__":
    if "--report" not in sys.argv:
        make()
    report(load_stored())
