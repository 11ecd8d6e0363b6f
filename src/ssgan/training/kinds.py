"""Imports every kind of setting that a stored config may name: reading one imports nothing."""

from ssgan import losses
from ssgan.data import cifar10, folder, huggingface, scenes
from ssgan.methods import gan, penalty, rotation_only, ssgan
from ssgan.models import biggan, dcgan, norms, resnet, resnet5, resnet_stl, sndcgan

MODULES = (
    losses,
    cifar10,
    folder,
    huggingface,
    scenes,
    gan,
    penalty,
    rotation_only,
    ssgan,
    norms,
    biggan,
    dcgan,
    resnet,
    resnet5,
    resnet_stl,
    sndcgan,
)
