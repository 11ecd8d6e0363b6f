"""Whole runs: functions that return settings."""

from ssgan.recipes import auto as auto
from ssgan.recipes import celebahq128 as celebahq128
from ssgan.recipes import cifar10 as cifar10
from ssgan.recipes import imagenet128 as imagenet128
from ssgan.recipes import imagenet_large as imagenet_large
from ssgan.recipes import lsun_bedroom128 as lsun_bedroom128
from ssgan.recipes import mimicry as mimicry
from ssgan.recipes import robustness as robustness
from ssgan.recipes import robustness_imagenet as robustness_imagenet
from ssgan.recipes import scenes as scenes
from ssgan.recipes import stl10 as stl10
from ssgan.recipes import successors as successors
