"""Imports every kind of setting that a stored config may name: reading one imports nothing.

`ssgan.training.stored` reads them, and `ssgan train` finds by them what `--method GAN` may be.
"""

from ssgan import losses
from ssgan.data import cifar10, crops, folder, huggingface, own_copy, scenes
from ssgan.methods import (
    class_losses,
    gan,
    penalty,
    rotation_only,
    s3gan,
    ssgan,
    ssgan_annealed,
    ssgan_la,
    ssgan_ms,
)
from ssgan.models import biggan, dcgan, norms, resnet, resnet5, resnet_stl, sndcgan

MODULES = (
    losses,
    cifar10,
    crops,
    folder,
    huggingface,
    own_copy,
    scenes,
    class_losses,
    gan,
    penalty,
    rotation_only,
    s3gan,
    ssgan,
    ssgan_annealed,
    ssgan_la,
    ssgan_ms,
    norms,
    biggan,
    dcgan,
    resnet,
    resnet5,
    resnet_stl,
    sndcgan,
)
