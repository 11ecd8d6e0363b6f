"""Recipes: functions that return the settings of whole runs."""

from ssgan.recipes import auto as auto
from ssgan.recipes import celebahq128 as celebahq128
from ssgan.recipes import cifar10 as cifar10
from ssgan.recipes import imagenet128 as imagenet128
from ssgan.recipes import imagenet_large as imagenet_large
from ssgan.recipes import lsun_bedroom128 as lsun_bedroom128
from ssgan.recipes import mimicry as mimicry
from ssgan.recipes import objects as objects
from ssgan.recipes import scenes as scenes
from ssgan.recipes import stl10 as stl10
from ssgan.recipes import successors as successors
from ssgan.recipes import table2 as table2
