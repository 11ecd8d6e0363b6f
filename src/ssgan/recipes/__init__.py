"""Whole runs: functions that return settings."""

from ssgan.recipes import cifar10 as cifar10
from ssgan.recipes import images as images
from ssgan.recipes import scenes as scenes
from ssgan.recipes import successors as successors
