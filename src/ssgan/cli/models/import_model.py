"""`ssgan import FILE`: reads the weights of another program into a model's file."""

from ssgan.cli.models.options import Import
from ssgan.files.names import readable
from ssgan.runs.import_compare_gan import import_compare_gan
from ssgan.runs.import_mimicry import import_mimicry
from ssgan.runs.model_file import SUFFIX, load_model, save_model
from ssgan.types import UserError


def main(given: Import) -> int:
    """Write the file, and print what it holds; returns the exit code."""
    out = given.out or given.file.with_suffix(SUFFIX)
    if out.exists():
        try:
            load_model(out)
        except UserError as error:
            raise UserError(
                f"--out would replace another file ({error}): give a new name"
            ) from None
    if given.file.suffix.lower() == ".npz":
        model = import_compare_gan(given.file)
    else:
        model = import_mimicry(given.file, given.discriminator)
    save_model(out, model)
    config, (channels, size) = model.config, model.config.data.shape
    networks = [type(config.generator).__name__]
    if "discriminator" in model.tensors:
        networks.append(type(config.discriminator).__name__)
    classes = f", {model.num_classes} classes" if model.classes else ""
    print(f"networks  {', '.join(networks)}, {size} x {size}, {channels} channels{classes}")
    print(f"step      {model.step:,}")
    print(f"model     {readable(out)}")
    print(f"next      ssgan sample {readable(out)}")
    print(f"          ssgan train --init {readable(out)} --data SOURCE")
    return 0
