"""The arms that studies share, by name. A run of one study is a run of all."""

from ssgan.studies.arm import AbstractArm, Arm

LABELS = {
    "gan": "GAN",
    "conditional": "conditional GAN",
    "rotation_only": "rotation only",
    "ssgan": "SS-GAN",
    "ssgan_sbn": "SS-GAN (sBN)",
}
IMAGENET, LSUN, CELEBA_HQ = "ImageNet", "LSUN-Bedroom", "CelebA-HQ"
_FILES = {IMAGENET: "imagenet128", LSUN: "lsun_bedroom128", CELEBA_HQ: "celebahq128"}
_KEPT = ("--output.keep_every", "10000")  # states that figures 4 and 6 measure


def laptop(*names: str) -> tuple[AbstractArm, ...]:
    """CIFAR-10 with 64 channels, 3,000 steps, one update of D a step."""
    return tuple(Arm(name=n, label=LABELS[n], recipe=f"cifar10:{n}_laptop") for n in names)


def cifar10(*names: str) -> tuple[AbstractArm, ...]:
    """CIFAR-10 as in the paper: full width, 100,000 steps."""
    return tuple(
        Arm(name=n, label=LABELS[n], recipe=f"cifar10:{n}", overrides=_KEPT) for n in names
    )


def at_128(images: str, *names: str) -> tuple[AbstractArm, ...]:
    """ImageNet, LSUN-Bedroom or CelebA-HQ at 128 pixels as in the paper: the recipes' steps."""
    return tuple(Arm(name=n, label=LABELS[n], recipe=f"{_FILES[images]}:{n}") for n in names)


def imagenet(*names: str) -> tuple[AbstractArm, ...]:
    """ImageNet at 128 pixels as in the paper: 1,000,000 steps."""
    return at_128(IMAGENET, *names)
