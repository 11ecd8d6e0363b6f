"""The plain form of every loss: image by image, term by term, in float64, from the formulas.

Slow and obvious. Nothing of the package's methods is used, so that both can be compared.
"""

import math

import numpy as np
import torch


def rotate_by_index(image: torch.Tensor, quarters: int) -> torch.Tensor:
    """A [C, S, S] image rotated counter-clockwise by so many quarters, pixel by pixel."""
    for _ in range(quarters):
        out = torch.empty_like(image)
        size = image.shape[-1]
        for row in range(size):
            for column in range(size):
                # what was in the right-most column becomes the top row
                out[:, row, column] = image[:, column, size - 1 - row]
        image = out
    return image


def one(D, image, label):
    labels = None if label is None else label[None]
    scores = D(image[None], labels)
    return scores.real[0], scores.auxiliary[0]


def label_at(labels, i):
    return None if labels is None else labels[i]


def hinge_d(real, fake):
    zero = torch.zeros((), dtype=torch.float64)
    return sum(torch.maximum(zero, 1 - r) for r in real) / len(real) + sum(
        torch.maximum(zero, 1 + f) for f in fake
    ) / len(fake)


def hinge_g(fake):
    return -sum(fake) / len(fake)


def nonsaturating_d(real, fake):
    return -sum(torch.log(torch.sigmoid(r)) for r in real) / len(real) - sum(
        torch.log(1 - torch.sigmoid(f)) for f in fake
    ) / len(fake)


def nonsaturating_g(fake):
    return -sum(torch.log(torch.sigmoid(f)) for f in fake) / len(fake)


def wasserstein_d(real, fake):
    return -sum(real) / len(real) + sum(fake) / len(fake)


def least_squares_d(real, fake):
    return 0.5 * (
        sum((torch.sigmoid(r) - 1) ** 2 for r in real) / len(real)
        + sum(torch.sigmoid(f) ** 2 for f in fake) / len(fake)
    )


def least_squares_g(fake):
    return 0.5 * sum((torch.sigmoid(f) - 1) ** 2 for f in fake) / len(fake)


def relativistic_d(real, fake):
    return sum(torch.log(1 + torch.exp(f - r)) for r, f in zip(real, fake, strict=True)) / len(real)


def relativistic_g(real, fake):
    return relativistic_d(fake, real)


def paired_g(D, reals, fakes):
    pairs = zip(reals, fakes, strict=True)
    return sum(relativistic_g([one(D, x, None)[0]], [one(D, y, None)[0]]) for x, y in pairs) / len(
        fakes
    )


GAMES = {
    "Hinge": (hinge_d, hinge_g),
    "NonSaturating": (nonsaturating_d, nonsaturating_g),
    "Wasserstein": (wasserstein_d, hinge_g),
    "LeastSquares": (least_squares_d, least_squares_g),
    "Relativistic": (relativistic_d, relativistic_g),
}


def adversarial_d(game, D, reals, fakes, labels, fake_labels):
    real = [one(D, x, label_at(labels, i))[0] for i, x in enumerate(reals)]
    fake = [one(D, x, label_at(fake_labels, i))[0] for i, x in enumerate(fakes)]
    return GAMES[game][0](real, fake)


def adversarial_g(game, D, fakes, labels):
    return GAMES[game][1]([one(D, x, label_at(labels, i))[0] for i, x in enumerate(fakes)])


def rotation(D, images, labels, count):
    """Mean over the last `count` images and four rotations of -log softmax at the rotation."""
    total = torch.zeros((), dtype=torch.float64)
    for i in range(len(images) - count, len(images)):
        for r in range(4):
            logits = one(D, rotate_by_index(images[i], r), label_at(labels, i))[1]
            total = total - torch.log(torch.exp(logits[r]) / torch.exp(logits).sum())
    return total / (4 * count)


def cross_entropy(logits, right):
    return -torch.log(torch.exp(logits[right]) / torch.exp(logits).sum())


def multi_hinge(logits, right):
    zero = torch.zeros((), dtype=torch.float64)
    others = [k for k in range(len(logits)) if k != right]
    return sum(torch.maximum(zero, 1 - logits[right] + logits[k]) for k in others) / len(others)


def multi_margin(logits, right):
    others = [k for k in range(len(logits)) if k != right]
    return sum(logits[k] - logits[right] for k in others) / len(others)


def classes(D, images, count, right, loss=cross_entropy):
    """Mean over the last `count` images and four rotations of the loss at class right[r]."""
    total = torch.zeros((), dtype=torch.float64)
    for image in images[len(images) - count :]:
        for r in range(4):
            total = total + loss(one(D, rotate_by_index(image, r), None)[1], right[r])
    return total / (4 * count)


ROTATIONS, ALL_FAKE = (0, 1, 2, 3), (4, 4, 4, 4)  # SSGAN-MS: five classes
ROTATIONS_REAL, ROTATIONS_FAKE = (0, 2, 4, 6), (1, 3, 5, 7)  # SSGAN-LA: eight


def multiclass_minimax_d(D, reals, fakes, count):
    return classes(D, reals, count, ROTATIONS) + classes(D, fakes, count, ALL_FAKE)


def multiclass_minimax_g(D, fakes, count):
    return classes(D, fakes, count, ROTATIONS) - classes(D, fakes, count, ALL_FAKE)


def label_augmentation_d(D, reals, fakes, count, loss=cross_entropy):
    return classes(D, reals, count, ROTATIONS_REAL, loss) + classes(
        D, fakes, count, ROTATIONS_FAKE, loss
    )


def label_augmentation_g(D, fakes, count, loss=cross_entropy):
    return classes(D, fakes, count, ROTATIONS_REAL, loss) - classes(
        D, fakes, count, ROTATIONS_FAKE, loss
    )


def gradient_penalty(D, reals, fakes, labels, mixing):
    """E (g - 1)^2 with g the gradient norm at a mixed image, for images in [0, 1]."""
    total = torch.zeros((), dtype=torch.float64)
    for i, (real, fake) in enumerate(zip(reals, fakes, strict=True)):
        unit_real, unit_fake = (real + 1) / 2, (fake + 1) / 2
        unit = unit_real + mixing[i] * (unit_fake - unit_real)
        unit = unit.detach().requires_grad_()
        logit = one(D, 2 * unit - 1, label_at(labels, i))[0]
        (gradient,) = torch.autograd.grad(logit, unit, create_graph=True)
        total = total + (torch.sqrt(1e-4 + (gradient * gradient).sum()) - 1) ** 2
    return total / len(reals)


def noisy_penalty(D, reals, labels, noise):
    """DRAGAN: E (g - 1)^2, g the gradient norm at a noisy real in [0, 1], in NumPy except for D."""
    unit = (reals.numpy() + 1) / 2
    std = np.sqrt(np.mean((unit - np.mean(unit)) ** 2))
    noisy = np.minimum(np.maximum(unit + std * (noise.numpy() - 0.5), 0), 1)
    total = torch.zeros((), dtype=torch.float64)
    for i, point in enumerate(torch.from_numpy(noisy)):
        point = point.requires_grad_()
        logit = one(D, 2 * point - 1, label_at(labels, i))[0]
        (gradient,) = torch.autograd.grad(logit, point, create_graph=True)
        total = total + (torch.sqrt(1e-4 + (gradient * gradient).sum()) - 1) ** 2
    return total / len(reals)


def penalty(kind, D, reals, fakes, labels, draw):
    if kind == "DRAGAN":
        noise = draw.noise(reals[0].numel()).view_as(reals)
        return noisy_penalty(D, reals, labels, noise)
    if kind == "R1R2":
        at_reals = zero_centred_penalty(D, reals, labels)
        return (at_reals + zero_centred_penalty(D, fakes, draw.labels)) / 2
    return gradient_penalty(D, reals, fakes, labels, draw.mixing)


def zero_centred_penalty(D, images, labels):
    total = 0
    for i, image in enumerate(images):
        at = image.detach().requires_grad_()
        logit = one(D, at, label_at(labels, i))[0]
        (slope,) = torch.autograd.grad(logit, at, create_graph=True)
        total = total + sum(value**2 for value in slope.flatten())
    return total / len(images)


def rotation_cross_entropy(logits, right):
    return cross_entropy(logits[:4], right)


def complete_labels(D, images, labels, chances=None):
    """S3GAN's labels: those given; for -1 the class with the highest logit after the first four.

    With `chances` in [0, 1), one per image: the class whose part of [0, 1) contains it.
    """
    found = []
    for image, label in zip(images, labels, strict=True):
        logits = one(D, image, torch.tensor(0))[1][4:].tolist()
        pseudo_label = logits.index(max(logits))
        if chances is not None:
            pseudo_label = sample_class(logits, float(chances[len(found)]))
        found.append(int(label) if label != -1 else pseudo_label)
    return torch.tensor(found)


def sample_class(logits, chance):
    """The class whose part of [0, 1) contains the chance; parts are as long as its probability."""
    total = sum(math.exp(logit) for logit in logits)
    for number, logit in enumerate(logits):
        chance -= math.exp(logit) / total
        if chance < 0:
            return number
    return len(logits) - 1


def labelled_classes(D, images, labels):
    """The cross-entropies of the labelled images' classes, one by one."""
    return [
        cross_entropy(one(D, image, label)[1][4:], label)
        for image, label in zip(images, labels, strict=True)
        if label != -1
    ]
